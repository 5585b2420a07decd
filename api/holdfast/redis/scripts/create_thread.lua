-- KEYS thread, events, departed, the index, checkpoints, checkpoint index, registry
-- ARGV thread_id, owner, tenant, now_us, ttl_s, number of fields of the record, field, value ... of the record and then of
--      the checkpoints
-- Returns the record's fields and values; nothing when the id is taken.
local thread = KEYS[1]
local made = redis.call('HMGET', thread, 'created_at', 'owner', 'tenant')
if made[1] then
  local ours = made[1] == ARGV[4] and made[2] == ARGV[2] and made[3] == ARGV[3]  -- the reply was lost
  return ours and redis.call('HGETALL', thread)
end
if not vacant(KEYS[3], ARGV[3], ARGV[2]) then return false end
make(thread, KEYS[2], KEYS[3], ARGV[3], ARGV[2], ARGV[4])
local last, record, checkpoints = 6 + 2 * tonumber(ARGV[6]), {}, {}
for i = 7, #ARGV do
  local list = i > last and checkpoints or record
  list[#list + 1] = ARGV[i]
end
set(thread, record, 1)
fill(KEYS[8], KEYS[9], KEYS[10], ARGV[1], checkpoints)
local ttl = tonumber(ARGV[5])
expire(#checkpoints > 0 and {thread, KEYS[8], KEYS[9]} or {thread}, ttl)
if ttl > 0 then redis.call('EXPIRE', KEYS[2], ttl, 'LT') end  -- a log goes before its thread
index_thread(index_of(4), thread, ARGV[1])
return redis.call('HGETALL', thread)
