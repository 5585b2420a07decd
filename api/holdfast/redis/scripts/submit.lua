-- KEYS thread, runs, order, queue, events, ready, threads of the owner, threads of the tenant, cancels,
--      checkpoints, checkpoint index
-- ARGV thread_id, run_id, request, now_us, strategy, tenant, owner ('' = anybody in the tenant),
--      creator ('' = the thread must exist), number of decisions, request_id, decision ..., field, value ...
-- Returns {'ok', epoch, seq} with the place in the log before the run's first event, {'missing'}, {'busy'},
-- or {'decided', request_id, decision}.
local thread, runs, order, queue, events, ready = unpack(KEYS, 1, 6)
local thread_id, run, request, now_us, strategy, tenant, owner, creator = unpack(ARGV, 1, 8)
local place = redis.call('HMGET', thread, 'epoch', 'seq', 'token')

if redis.call('HEXISTS', runs, run) == 1 then return {'ok', place[1], place[2]} end  -- the reply was lost
if redis.call('EXISTS', thread) == 0 then
  if creator == '' then return {'missing'} end
  redis.call('HSET', thread, 'owner', creator, 'tenant', tenant, 'created_at', now_us, 'updated_at', now_us,
    'state_updated_at', now_us, 'status', 'idle', 'epoch', 0, 'token', '', 'seq', 0)
  redis.call('ZADD', KEYS[7], now_us, thread_id)
  redis.call('ZADD', KEYS[8], now_us, thread_id)
  place = {'0', '0', ''}
elseif not visible(thread, tenant, owner) then
  return {'missing'}
end

local line = redis.call('LRANGE', queue, 0, -1)
if #line > 0 and strategy == 'reject' then return {'busy'} end

-- A request is decided once: the first decision stands, whatever comes after it.
local decisions = tonumber(ARGV[9])
for i = 10, 9 + 2 * decisions, 2 do
  local made = redis.call('HGET', thread, 'decision:' .. ARGV[i])
  if made then return {'decided', ARGV[i], made} end
end
for i = 10, 9 + 2 * decisions, 2 do redis.call('HSET', thread, 'decision:' .. ARGV[i], ARGV[i + 1]) end

if strategy == 'interrupt' or strategy == 'rollback' then
  for i, other in ipairs(line) do
    if i == 1 and place[3] ~= '' then
      redis.call('HSET', runs, other .. ':cancel', strategy)
      redis.call('SPUBLISH', KEYS[9], other .. '\31' .. strategy)
    else
      drop(thread, runs, order, queue, events, other, strategy, now_us)
    end
  end
end

redis.call('HSET', runs, run, request, run .. ':status', 'pending', run .. ':updated_at', now_us)
redis.call('ZADD', order, 0, run)
redis.call('RPUSH', queue, run)
redis.call('HSET', thread, 'status', 'busy', 'updated_at', now_us, unpack(ARGV, 10 + 2 * decisions))
expire({thread, runs, order, events, KEYS[10], KEYS[11]}, 0)
if #line == 0 then dispatch(ready, thread_id) end
place = redis.call('HMGET', thread, 'epoch', 'seq')
return {'ok', place[1], place[2]}
