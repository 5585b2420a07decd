-- KEYS thread, the index, registry, cancels, queue, and all other keys of the thread, the lane's schedule, timers,
--      approvals, dead letters, failed, given up
-- ARGV thread_id
-- Returns the ids of its crons, one after the other, where it has some: they go first, and nothing is changed.
-- A worker that still runs the thread finds its token gone: none of its writes is accepted any more.
local crons = redis.call('HGET', KEYS[1], 'crons')
if crons and crons ~= '' then return crons end
local line = redis.call('LRANGE', KEYS[8], 0, -1)
if line[1] then redis.call('SPUBLISH', KEYS[7], line[1] .. '\31interrupt') end
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
for _, run in ipairs(line) do  -- whoever follows a run is told that it has ended
  emit(KEYS[1], KEYS[11], {
    event(run, 'error', '', now_us, '{"error":"ThreadNotFound","message":"The thread was deleted."}'),
    event(run, 'end', '', now_us, '{"status":"error"}')})
end
unindex(index_of(2), ARGV[1])
redis.call('SREM', KEYS[6], ARGV[1])
redis.call('ZREM', KEYS[#KEYS - 1], ARGV[1])
redis.call('ZREM', KEYS[#KEYS], ARGV[1])
local lane = lane_of(14)
local counted = redis.call('HMGET', KEYS[1], 'tenant', 'delayed')
if #line + tonumber(counted[2] or 0) > 0 then
  for _, run in ipairs(redis.call('ZRANGE', KEYS[10], 0, -1)) do
    redis.call('ZREM', KEYS[18], 'run\31' .. ARGV[1] .. '\31' .. run)
    local status = redis.call('HGET', KEYS[9], run .. ':status')
    if status == 'pending' or status == 'running' then count_out(lane, KEYS[9], run, counted[1]) end
  end
end
redis.call('ZREM', lane.waiting, ARGV[1])
redis.call('ZREM', KEYS[18], 'prune\31' .. ARGV[1])
local approvals = approvals_of(19)
local outbox, letters, dead = approvals.box.outbox, approvals.box.letters, KEYS[#KEYS - 2]
forget_approvals(approvals, ARGV[1], now_us)
for _, field in ipairs(redis.call('HKEYS', letters)) do
  if not string.find(field, ':', 1, true) then withdraw(outbox, dead, letters, ARGV[1], field) end
end
local gone = redis.call('DEL', KEYS[1])
for i = 8, 13 do redis.call('DEL', KEYS[i]) end
return gone
