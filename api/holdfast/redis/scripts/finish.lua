-- Ends a run: its last events, its outcome, the thread's state and the start of the next run, all at once.
-- KEYS thread, runs, order, queue, events, checkpoints, checkpoint index, registry, the lane's schedule, departed,
--      the index, approvals, failed, given up
-- ARGV token, from, thread_id, run_id, entry, status, thread status, interrupts, error, now_us, ttl_s, keep_s,
--      after ('' | 'rollback' = forget the run | 'delete' = the thread was made for this run only),
--      requests (JSON, see `redis.approvals.Requests`), whether the run is counted ('1' | ''), ms to its first token
--      ('' = none), how it failed ('' | 'failed' | 'given_up'), event ..., and last what webhooks are told (JSON; '' when
--      nobody is)
-- Returns {'ok'} or, when a request that would now wait has been decided meanwhile, {'decided', id, decision, ...}.
local thread, runs, order, queue, events = unpack(KEYS, 1, 5)
local lane, index = lane_of(9), index_of(14)

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

-- Lists the thread among those whose last run failed, or takes it off.
local function list_failure(failed, given_up, thread_id, failure, now_us)
  redis.call('ZREM', given_up, thread_id)
  if failure == '' then
    redis.call('ZREM', failed, thread_id)
  else
    redis.call('ZADD', failed, now_us, thread_id)
  end
  if failure == 'given_up' then redis.call('ZADD', given_up, now_us, thread_id) end
end

-- A thread that is there for one run only is not among those that may be handed over.
local function tally_run(stats, thread, runs, run, status, now_us, first_token_ms, alone)
  tally(stats, 'runs:' .. status)
  local started = tonumber(redis.call('HGET', runs, run .. ':started_at') or now_us)
  tally_time(stats, 'duration', (now_us - started) / 1000)
  if first_token_ms ~= '' then tally_time(stats, 'first_token', tonumber(first_token_ms)) end
  if redis.call('HDEL', thread, 'handed') == 1 then tally_handoff(stats, thread) end
  if not alone then tally_thread(stats, thread, 'threads') end
end

local token, from, thread_id, run, entry, status = unpack(ARGV, 1, 6)
local now_us, ttl, keep, after = ARGV[10], tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13]
if redis.call('HGET', runs, run .. ':finished') == token then return {'ok'} end  -- the reply was lost
local held = redis.call('HMGET', thread, 'token', 'handback_run', 'pushes')
if held[1] ~= token then return redis.error_reply('FENCED') end

local requests, decided = cjson.decode(ARGV[14]), {'decided'}
for _, asked in ipairs(requests.heed and requests.waiting or {}) do
  local made = redis.call('HGET', thread, 'decision:' .. asked.request)
  if made and not asked.answered then
    decided[#decided + 1] = asked.request
    decided[#decided + 1] = made
  end
end
if #decided > 1 then return decided end

local list = {}
for i = 18, #ARGV - 1 do list[#list + 1] = ARGV[i] end
local refused = write(thread, events, token, tonumber(from), list, index, thread_id)
if refused then return refused end

local approvals = approvals_of(18)
for _, done in ipairs(requests.done) do carry_out(approvals, thread_id, done, now_us) end
for _, asked in ipairs(requests.waiting) do
  -- The graph was given this answer and asks again: a new one may come.
  if asked.answered then redis.call('HDEL', thread, 'decision:' .. asked.request) end
  if redis.call('HEXISTS', thread, 'decision:' .. asked.request) == 0 then
    ask(approvals, thread, thread_id, asked, now_us)
  end
end
for _, gone in ipairs(requests.gone) do
  if is_open(approvals, gone.request) then
    close(approvals, thread, thread_id, gone.request, gone.status, now_us)
    note(approvals, thread_id, gone.request, gone.act, now_us)
  end
end

if ARGV[15] ~= '' then
  tally_run(approvals.stats, thread, runs, run, status, now_us, ARGV[16], after == 'delete')
end
if ARGV[#ARGV] ~= '' then report(approvals.box, thread, thread_id, runs, run, status, now_us, ARGV[#ARGV]) end
if held[3] then push(approvals.box, thread, thread_id, runs, run) end
local known = redis.call('HMGET', thread, 'tenant', 'delayed')
local tenant, later = known[1], tonumber(known[2] or 0) > 0
discard(lane, entry)
count_out(lane, runs, run, tenant)
redis.call('LREM', queue, 1, run)
local lasts = later or (redis.call('HGET', thread, 'crons') or '') ~= ''
local goes = after == 'delete' and redis.call('EXISTS', queue) == 0 and not lasts
list_failure(KEYS[#KEYS - 1], KEYS[#KEYS], thread_id, goes and '' or ARGV[17], now_us)
if goes then
  -- The events stay for the readers that still follow the run, and beside them a digest of whose they are.
  redis.call('EXPIRE', events, keep)
  redis.call('SET', KEYS[13], digest_of(tenant, redis.call('HGET', thread, 'owner')), 'EX', keep)
  forget_approvals(approvals, thread_id, now_us)
  redis.call('DEL', thread, runs, order, queue, KEYS[6], KEYS[7])
  unindex(index, thread_id)
  redis.call('SREM', KEYS[8], thread_id)
  return {'ok'}
end
if after == 'rollback' then
  forget_run(runs, order, run)
else
  redis.call('HDEL', runs, run .. ':tokens', run .. ':node')
  redis.call('HSET', runs, run .. ':status', status, run .. ':updated_at', now_us, run .. ':finished', token,
    run .. ':error', ARGV[9])
end
if status == 'success' and held[2] == run then
  redis.call('HDEL', thread, 'handback', 'handback_past', 'handback_run')
end
trim(keep)
local more = redis.call('EXISTS', queue) == 1
redis.call('HSET', thread, 'token', '', 'active', '', 'status', more and 'busy' or ARGV[7], 'interrupts', ARGV[8],
  'error', ARGV[9], 'updated_at', now_us, 'state_updated_at', now_us)
if more then
  dispatch(lane, thread_id, tenant)
else
  local lapsing = {thread = thread, events = events, others = {runs, order, KEYS[6], KEYS[7], approvals.hash}}
  lapse(lapsing, approvals.timers, thread_id, ttl, keep)
end
index_state(index, thread, thread_id)
return {'ok'}
