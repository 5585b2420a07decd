-- The pseudonym of somebody: the one that is known, or a new one.
-- KEYS pseudonyms by person, people by pseudonym
-- ARGV person, new pseudonym, what is kept of the person
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return known end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return ARGV[2]
