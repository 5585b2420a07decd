-- The lane's next slice of keys of a kind, each slice for one caller. Redis remembers how far the search has come.
-- KEYS the search's cursor
-- ARGV pattern of the keys, how many keys to look at, their type, seconds until the search begins anew when nobody goes on with it
local found = redis.call('SCAN', redis.call('GET', KEYS[1]) or '0', 'MATCH', ARGV[1], 'COUNT', ARGV[2], 'TYPE', ARGV[3])
redis.call('SET', KEYS[1], found[1], 'EX', ARGV[4])
return found[2]
