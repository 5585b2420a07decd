-- Makes a thread of what was exported.
-- KEYS thread, runs, order, checkpoints, checkpoint index, registry, events, departed, the index, timers
-- ARGV nonce (one an import), thread_id, ttl_s, number of fields of the record, of the runs,
--      field, value ... of both and then of the checkpoints
-- Returns 1, or 0 when there is a thread of this id.
local thread, runs, order, checkpoints, index = unpack(KEYS, 1, 5)
local made = redis.call('HGET', thread, 'imported')
if made == ARGV[1] then return 1 end  -- the reply was lost
if redis.call('EXISTS', thread) == 1 then return 0 end

local first = 6
local function fields(count)
  local list = {}
  for i = first, first + 2 * count - 1 do list[#list + 1] = ARGV[i] end
  first = first + 2 * count
  return list
end

redis.call('DEL', runs, order, checkpoints, index, KEYS[7], KEYS[8])
set(thread, fields(tonumber(ARGV[4])), 1)
redis.call('HSET', thread, 'token', '', 'imported', ARGV[1])
local kept = fields(tonumber(ARGV[5]))
set(runs, kept, 1)
for i = 1, #kept, 2 do
  if not string.find(kept[i], ':', 1, true) then redis.call('ZADD', order, 0, kept[i]) end
end
fill(checkpoints, index, KEYS[6], ARGV[2], fields((#ARGV - first + 1) / 2))
expire({thread, runs, order, checkpoints, index}, tonumber(ARGV[3]))
prune_later(thread, KEYS[13], ARGV[2], tonumber(ARGV[3]))
index_thread(index_of(9), thread, ARGV[2])
return 1
