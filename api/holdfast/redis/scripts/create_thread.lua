-- KEYS thread, events, departed, the index
-- ARGV thread_id, owner, tenant, now_us, ttl_s, field, value ...
-- Returns the record's fields and values; nothing when the id is taken.
local thread = KEYS[1]
local made = redis.call('HMGET', thread, 'created_at', 'owner', 'tenant')
if made[1] then
  local ours = made[1] == ARGV[4] and made[2] == ARGV[2] and made[3] == ARGV[3]  -- the reply was lost
  return ours and redis.call('HGETALL', thread)
end
if not vacant(KEYS[3], ARGV[3], ARGV[2]) then return false end
make(thread, KEYS[2], KEYS[3], ARGV[3], ARGV[2], ARGV[4])
set(thread, ARGV, 6)
local ttl = tonumber(ARGV[5])
expire({thread}, ttl)
if ttl > 0 then redis.call('EXPIRE', KEYS[2], ttl, 'LT') end  -- a log goes before its thread
index_thread(index_of(4), thread, ARGV[1])
return redis.call('HGETALL', thread)
