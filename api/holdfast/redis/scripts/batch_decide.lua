-- KEYS batch
-- ARGV what is to become of it
-- Returns what becomes of it: what was said first. False when there is no such batch any more.
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSETNX', KEYS[1], 'fate', ARGV[1])
return redis.call('HGET', KEYS[1], 'fate')
