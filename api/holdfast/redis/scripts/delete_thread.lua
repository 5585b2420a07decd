-- KEYS thread, threads of the owner, threads of the tenant, registry, cancels, queue, and all other keys of the thread,
--      the lane's schedule, due
-- ARGV thread_id
-- A worker that still runs the thread finds its token gone: none of its writes is accepted any more.
local line = redis.call('LRANGE', KEYS[6], 0, -1)
if line[1] then redis.call('SPUBLISH', KEYS[5], line[1] .. '\31interrupt') end
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
for _, run in ipairs(line) do  -- whoever follows a run is told that it has ended
  emit(KEYS[1], KEYS[9], {
    event(run, 'error', '', now_us, '{"error":"ThreadNotFound","message":"The thread was deleted."}'),
    event(run, 'end', '', now_us, '{"status":"error"}')})
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('SREM', KEYS[4], ARGV[1])
local lane = lane_of(12)
local left = #line + tonumber(redis.call('HGET', KEYS[1], 'delayed') or 0)
for _, run in ipairs(left > #line and redis.call('ZRANGE', KEYS[8], 0, -1) or {}) do
  redis.call('ZREM', KEYS[16], ARGV[1] .. '\31' .. run)
end
if left > 0 then count(lane, redis.call('HGET', KEYS[1], 'tenant'), -left) end
redis.call('ZREM', lane.waiting, ARGV[1])
local gone = redis.call('DEL', KEYS[1])
for i = 6, 11 do redis.call('DEL', KEYS[i]) end
return gone
