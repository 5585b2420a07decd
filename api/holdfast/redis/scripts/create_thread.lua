-- KEYS thread, threads of the owner, threads of the tenant, events, departed
-- ARGV thread_id, owner, tenant, now_us, ttl_s, field, value ...
-- Returns 1 when made, 0 when the id is taken.
local thread = KEYS[1]
local made = redis.call('HMGET', thread, 'created_at', 'owner')
if made[1] then return made[1] == ARGV[4] and made[2] == ARGV[2] and 1 or 0 end  -- 1 again: the reply was lost
if not vacant(KEYS[5], ARGV[3], ARGV[2]) then return 0 end
make(thread, KEYS[4], KEYS[5], ARGV[3], ARGV[2], ARGV[4])
set(thread, ARGV, 6)
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
local ttl = tonumber(ARGV[5])
expire({thread}, ttl)
if ttl > 0 then redis.call('EXPIRE', KEYS[4], ttl, 'LT') end  -- a log goes before its thread
return 1
