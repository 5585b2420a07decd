-- KEYS thread, runs
-- ARGV tenant, owner ('' = anybody in the tenant), field ...
-- Returns the values of the fields; nothing, and as fast, for a thread of somebody else or none at all.
if not visible(KEYS[1], ARGV[1], ARGV[2]) then return false end
return redis.call('HMGET', KEYS[2], unpack(ARGV, 3))
