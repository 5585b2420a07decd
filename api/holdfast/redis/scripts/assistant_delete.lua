-- KEYS assistant, its versions, assistants of the owner, assistants of the tenant
-- ARGV assistant_id, created_at (us)
-- Returns 1, or 0 when it is gone, or another one has its id by now.
if redis.call('HGET', KEYS[1], 'created_at') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return 1
