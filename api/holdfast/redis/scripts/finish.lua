-- Ends a run: its last events, its outcome, the thread's state and the start of the next run, all at once.
-- KEYS thread, runs, order, queue, events, checkpoints, checkpoint index,
--      threads of the owner, threads of the tenant, registry, the lane's schedule, departed
-- ARGV token, from, thread_id, run_id, entry, status, thread status, interrupts, error, now_us, ttl_s, keep_s,
--      after ('' | 'rollback' = forget the run | 'delete' = the thread was made for this run only),
--      number of waiting requests, request_id, answered in this attempt ('1' or '0') ..., event ...
-- Returns {'ok'} or, when a request that would now wait has been decided meanwhile, {'decided', id, decision, ...}.
local thread, runs, order, queue, events = unpack(KEYS, 1, 5)
local lane = lane_of(11)

-- The events of a run go `keep` seconds after its end, also on a thread that is used on and on. `ends` holds
-- where the log stood at the ends of runs, one a tenth of that time: <opened at>:<epoch>-<seq> ...
local function trim(keep)
  local now, ends, gone = tonumber(redis.call('TIME')[1]), {}, nil
  for at, epoch, seq in string.gmatch(redis.call('HGET', thread, 'ends') or '', '(%d+):(%d+)-(%d+)') do
    if tonumber(at) + keep * 1.1 < now then
      gone = epoch .. '-' .. string.format('%.0f', seq + 1)
    else
      ends[#ends + 1] = {at, epoch .. '-' .. seq}
    end
  end
  if gone then redis.call('XTRIM', events, 'MINID', gone) end
  local place = table.concat(redis.call('HMGET', thread, 'epoch', 'seq'), '-')
  if #ends > 0 and ends[#ends][1] + keep / 10 > now then
    ends[#ends][2] = place
  else
    ends[#ends + 1] = {now, place}
  end
  for i, one in ipairs(ends) do ends[i] = one[1] .. ':' .. one[2] end
  redis.call('HSET', thread, 'ends', table.concat(ends, ' '))
end

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
  -- The events stay for the readers that still follow the run, and beside them a digest of whose they are.
  redis.call('EXPIRE', events, keep)
  redis.call('SET', KEYS[15], redis.sha1hex(tenant .. '\0' .. redis.call('HGET', thread, 'owner')), 'EX', keep)
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
trim(keep)
local more = redis.call('EXISTS', queue) == 1
redis.call('HSET', thread, 'token', '', 'active', '', 'status', more and 'busy' or ARGV[7], 'interrupts', ARGV[8],
  'error', ARGV[9], 'updated_at', now_us, 'state_updated_at', now_us)
if more then
  dispatch(lane, thread_id, tenant)
else
  lapse(thread, {runs, order, KEYS[6], KEYS[7]}, events, ttl, keep)
end
return {'ok'}
