-- KEYS thread, runs, order, queue, events, cancels, checkpoints, checkpoint index, timers, the lane's schedule,
--      idempotency, departed, the index, approvals
-- ARGV thread_id, run_id, request, now_us, strategy, tenant, owner ('' = anybody in the tenant),
--      creator ('' = the thread must exist), delay (ms, by the server's clock), most runs at once in all, most a tenant,
--      most a caller, the caller, digest of what is asked ('' = no Idempotency-Key), seconds that the key is kept,
--      ballots (JSON, a list of `redis.approvals.Ballot`), number of plain interrupts that must wait for the answers of
--      this run, number of arguments for a thread that is made here, interrupt id ..., field, value ... of such a thread,
--      field, value ... of any
-- Returns {'ok', epoch, seq, metadata} with the place in the log before the run's first event and what the thread's
-- metadata was, which the request keeps; or {'missing'}, {'busy'},
-- {'full', 0 = in all, 1 = of the tenant, 2 = of the caller}, {'decided', request_id, decision}, {'raced', request_id}
-- when its revision is another by now, {'answered', interrupt id}, {'same', run_id} or {'differs'}: then nothing was
-- changed.
local thread, runs, order, queue, events = unpack(KEYS, 1, 5)
local lane, index = lane_of(10), index_of(16)
local thread_id, run, request, now_us, strategy, tenant, owner, creator, delay = unpack(ARGV, 1, 9)
local caller, digest = ARGV[13], ARGV[14]
local ballots = cjson.decode(ARGV[16])
local made = 19 + tonumber(ARGV[17])
local fields = made + tonumber(ARGV[18])
local approvals = approvals_of(20)

-- The interrupts that wait and that no run in line brings an answer to.
local function unanswered(thread, runs, line)
  local waiting = {}
  for _, interrupts in pairs(cjson.decode(redis.call('HGET', thread, 'interrupts') or '{}')) do
    for _, one in ipairs(interrupts) do waiting[one.id] = true end
  end
  for _, run in ipairs(line) do
    for id in pairs(cjson.decode(redis.call('HGET', runs, run)).resume or {}) do waiting[id] = nil end
  end
  return waiting
end

-- The thread's metadata as JSON. Each value is kept as the JSON that came: it is not read and written again.
local function metadata_of(thread)
  local record, parts = redis.call('HGETALL', thread), {}
  for i = 1, #record, 2 do
    if string.sub(record[i], 1, 2) == 'm:' then
      parts[#parts + 1] = cjson.encode(string.sub(record[i], 3)) .. ':' .. record[i + 1]
    end
  end
  return '{' .. table.concat(parts, ',') .. '}'
end

local place = redis.call('HMGET', thread, 'epoch', 'seq', 'token', 'pushes')
local metadata = metadata_of(thread)
if redis.call('HEXISTS', runs, run) == 1 then return {'ok', '0', '0', metadata} end  -- the reply was lost, and the run may have begun
-- Both are asked in any case: a thread of somebody else takes as long as none at all.
local exists, usable = redis.call('EXISTS', thread) == 1, visible(thread, tenant, owner)
local free = creator ~= '' and vacant(KEYS[15], tenant, creator)
if exists and not usable or not exists and not free then return {'missing'} end
if digest ~= '' then
  local known = redis.call('HMGET', KEYS[14], 'digest', 'run')
  if known[1] then return known[1] == digest and {'same', known[2]} or {'differs'} end
end
local line = redis.call('LRANGE', queue, 0, -1)
if #line > 0 and strategy == 'reject' then return {'busy'} end
local active = redis.call('HMGET', lane.queued, '', tenant, caller_of(tenant, caller))
for whose = 2, 0, -1 do
  if tonumber(active[whose + 1] or 0) >= tonumber(ARGV[10 + whose]) then return {'full', whose} end
end
-- A request is decided once: the first decision stands, whatever comes after it.
for _, ballot in ipairs(ballots) do
  local made = redis.call('HGET', thread, 'decision:' .. ballot.request)
  if made then return {'decided', ballot.request, made} end
  local revision = redis.call('HGET', approvals.hash, ballot.request .. ':revision') or '0'
  if ballot.revision ~= '' and ballot.revision ~= revision then return {'raced', ballot.request} end
end
if made > 19 then
  local waiting = unanswered(thread, runs, line)
  for i = 19, made - 1 do
    if not waiting[ARGV[i]] then return {'answered', ARGV[i]} end
  end
end

if not exists then
  make(thread, events, KEYS[15], tenant, creator, now_us)
  set(thread, {unpack(ARGV, made, fields - 1)}, 1)
end
for _, ballot in ipairs(ballots) do vote(approvals, thread, thread_id, ballot, now_us) end
if strategy == 'interrupt' or strategy == 'rollback' then
  for i, other in ipairs(line) do
    if i == 1 and place[3] ~= '' then
      redis.call('HSET', runs, other .. ':cancel', strategy)
      redis.call('SPUBLISH', KEYS[6], other .. '\31' .. strategy)
    else
      report(approvals.box, thread, thread_id, runs, other, 'interrupted', now_us, '{}')
      if place[4] then push(approvals.box, thread, thread_id, runs, other) end
      count_out(lane, runs, other, tenant)
      drop(approvals, thread, thread_id, runs, order, queue, events, other, strategy, now_us)
    end
  end
end

if digest ~= '' then
  redis.call('HSET', KEYS[14], 'digest', digest, 'run', run)
  redis.call('EXPIRE', KEYS[14], ARGV[15])
end
request = '{"thread_metadata":' .. metadata .. ',' .. string.sub(request, 2)
redis.call('HSET', runs, run, request, run .. ':status', 'pending', run .. ':updated_at', now_us)
redis.call('ZADD', order, 0, run)
local described = not exists or differs(thread, ARGV, fields)
redis.call('HSET', thread, 'updated_at', now_us, unpack(ARGV, fields))
expire({thread, runs, order, events, KEYS[7], KEYS[8], approvals.hash}, 0)
count_in(lane, runs, run, tenant, caller)
if delay ~= '0' then
  local clock = redis.call('TIME')
  local due = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(delay))
  redis.call('HINCRBY', thread, 'delayed', 1)
  redis.call('ZADD', KEYS[9], due, 'run\31' .. thread_id .. '\31' .. run)
else
  redis.call('RPUSH', queue, run)
  redis.call('HSET', thread, 'status', 'busy')
  if #line == 0 then dispatch(lane, thread_id, tenant) end
end
local note = described and index_thread or index_state
note(index, thread, thread_id)
place = redis.call('HMGET', thread, 'epoch', 'seq')
return {'ok', place[1], place[2], metadata}
