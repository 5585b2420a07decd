-- KEYS thread, runs, outbox, letters
-- ARGV thread_id, first run of the task, id of the target, the target (JSON, '' = it goes), most of a task,
--      whether a task that has come to rest is told at once ('1' | '')
-- Returns 'missing' (no such run), 'full' or 'ok'.
local thread, runs = KEYS[1], KEYS[2]
local thread_id, task, id, target = unpack(ARGV, 1, 4)
local field = task .. ':push'
local status = redis.call('HGET', runs, task .. ':status')
if not status then return 'missing' end
local kept = {}
for _, one in ipairs(cjson.decode(redis.call('HGET', runs, field) or '[]')) do
  if one.id ~= id then kept[#kept + 1] = one end
end
if target ~= '' then
  if #kept >= tonumber(ARGV[5]) then return 'full' end
  kept[#kept + 1] = cjson.decode(target)
end
if #kept == 0 then
  redis.call('HDEL', runs, field)
  return 'ok'
end
redis.call('HSET', runs, field, cjson.encode(kept))
redis.call('HSET', thread, 'pushes', '1')
if ARGV[6] ~= '' and status ~= 'pending' and status ~= 'running' then
  push(box_of(3), thread, thread_id, runs, task)
end
return 'ok'
