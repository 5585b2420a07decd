-- KEYS thread
-- ARGV tenant, owner ('' = anybody in the tenant)
-- Returns the record's fields and values; nothing, and as fast, for a thread of somebody else or none at all.
if not visible(KEYS[1], ARGV[1], ARGV[2]) then return false end
return redis.call('HGETALL', KEYS[1])
