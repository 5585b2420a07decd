-- KEYS thread, threads of the owner, threads of the tenant
-- ARGV thread_id, owner, tenant, now_us, ttl_s, field, value ...
-- Returns 1 when made, 0 when the id is taken.
local thread = KEYS[1]
local made = redis.call('HMGET', thread, 'created_at', 'owner')
if made[1] then return made[1] == ARGV[4] and made[2] == ARGV[2] and 1 or 0 end  -- 1 again: the reply was lost
redis.call('HSET', thread, 'owner', ARGV[2], 'tenant', ARGV[3], 'created_at', ARGV[4], 'updated_at', ARGV[4],
  'state_updated_at', ARGV[4], 'status', 'idle', 'epoch', 0, 'token', '', 'seq', 0)
set(thread, ARGV, 6)
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
expire({thread}, tonumber(ARGV[5]))
return 1
