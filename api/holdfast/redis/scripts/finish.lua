-- Ends a run: its last events, its outcome, the thread's state and the start of the next run, all at once.
-- KEYS thread, runs, order, queue, events, checkpoints, checkpoint index,
--      threads of the owner, threads of the tenant, registry, the lane's schedule
-- ARGV token, from, thread_id, run_id, entry, status, thread status, interrupts, error, now_us, ttl_s, keep_s,
--      after ('' | 'rollback' = forget the run | 'delete' = the thread was made for this run only),
--      number of waiting requests, request_id, answered in this attempt ('1' or '0') ..., event ...
-- Returns {'ok'} or, when a request that would now wait has been decided meanwhile, {'decided', id, decision, ...}.
local thread, runs, order, queue, events = unpack(KEYS, 1, 5)
local lane = lane_of(11)
local token, from, thread_id, run, entry, status = unpack(ARGV, 1, 6)
local now_us, ttl, keep, after = ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13]
if redis.call('HGET', runs, run .. ':finished') == token then return {'ok'} end  -- the reply was lost
if redis.call('HGET', thread, 'token') ~= token then return redis.error_reply('FENCED') end

local waiting, decided = tonumber(ARGV[14]), {'decided'}
for i = 15, 14 + 2 * waiting, 2 do
  local field = 'decision:' .. ARGV[i]
  local made = redis.call('HGET', thread, field)
  if made and ARGV[i + 1] == '1' then
    redis.call('HDEL', thread, field)  -- the graph was given this answer and asks again: a new one may come
  elseif made then
    decided[#decided + 1] = ARGV[i]
    decided[#decided + 1] = made
  end
end
if #decided > 1 then return decided end

local list = {}
for i = 15 + 2 * waiting, #ARGV do list[#list + 1] = ARGV[i] end
local refused = write(thread, events, token, tonumber(from), list)
if refused then return refused end

local tenant = redis.call('HGET', thread, 'tenant')
discard(lane, entry)
count(lane, tenant, -1)
redis.call('LREM', queue, 1, run)
if after == 'delete' and redis.call('EXISTS', queue) == 0 then
  -- The events stay for the readers that still follow the run.
  redis.call('EXPIRE', events, keep)
  redis.call('DEL', thread, runs, order, queue, KEYS[6], KEYS[7])
  redis.call('ZREM', KEYS[8], thread_id)
  redis.call('ZREM', KEYS[9], thread_id)
  redis.call('SREM', KEYS[10], thread_id)
  return {'ok'}
end
if after == 'rollback' then
  forget_run(runs, order, run)
else
  redis.call('HSET', runs, run .. ':status', status, run .. ':updated_at', now_us, run .. ':finished', token,
    run .. ':error', ARGV[9])
end
local more = redis.call('EXISTS', queue) == 1
redis.call('HSET', thread, 'token', '', 'active', '', 'status', more and 'busy' or ARGV[7], 'interrupts', ARGV[8],
  'error', ARGV[9], 'updated_at', now_us, 'state_updated_at', now_us)
if more then
  dispatch(lane, thread_id, tenant)
elseif tonumber(redis.call('HGET', thread, 'delayed') or 0) <= 0 then
  expire({thread, runs, order, KEYS[6], KEYS[7]}, ttl)
  redis.call('EXPIRE', events, ttl > 0 and math.min(ttl, keep) or keep)
end
return {'ok'}
