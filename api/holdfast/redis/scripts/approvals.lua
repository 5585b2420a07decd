-- Requests that wait for a person. What is kept of one are several fields of its thread's hash of approvals:
-- `<request_id>` (what was asked, and by which rules), `<request_id>:status`, `:votes` ... Each change raises `:revision`,
-- is told in the request's history, in the lane's audit trail, and to those who follow the tenant's approvals.
local FEED = 1000  -- events of a feed that are kept, about
local FEED_S = 24 * 3600

local function approvals_of(first)
  return {thread = KEYS[1], hash = KEYS[first], open = KEYS[first + 1], closed = KEYS[first + 2], trail = KEYS[first + 3],
    feed = KEYS[first + 4], log = KEYS[first + 5], timers = KEYS[first + 6], stats = KEYS[first + 7],
    asked = KEYS[first + 8], box = box_of(first + 9)}
end

local function timer(thread_id, request) return 'approval\31' .. thread_id .. '\31' .. request end

local function is_open(approvals, request)
  return redis.call('HGET', approvals.hash, request .. ':status') == 'open'
end

-- The ids of the thread's open requests, each between spaces.
local function mark(thread, request, open)
  local asking = redis.call('HGET', thread, 'asking') or ' '
  local at, last = string.find(asking, ' ' .. request .. ' ', 1, true)
  if open and not at then asking = asking .. request .. ' ' end
  if at and not open then asking = string.sub(asking, 1, at) .. string.sub(asking, last + 1) end
  redis.call('HSET', thread, 'asking', asking)
end

-- Writes down what was done to a request: `act` is {kind, actor, by, digest, said, details}, where `actor` is the pseudonym
-- and `by` the name of who did it, `digest` that of what was said, `said` what the history tells of it, `details` the
-- digest of what else is kept of it, `tell` the webhooks.
local function record(approvals, thread_id, request, act, now_us)
  local kind, said = act.kind, act.said
  local at = string.format('%.0f', math.floor(now_us / 1000))
  local card = cjson.decode(redis.call('HGET', approvals.hash, request) or '{}')
  local line = '{"at":' .. at .. ',"kind":' .. cjson.encode(kind) .. ',"by":' .. cjson.encode(act.by)
    .. (said ~= '' and ',"said":' .. said or '') .. '}'
  local history = redis.call('HGET', approvals.hash, request .. ':history')
  redis.call('HSET', approvals.hash, request .. ':history', history and history .. '\n' .. line or line)
  local entry = {'at', at, 'kind', kind, 'tenant', card.tenant or '', 'thread', thread_id, 'request', request,
    'policy', tostring(card.version or ''), 'actor', act.actor, 'digest', act.digest}
  if act.details ~= '' then
    entry[#entry + 1] = 'details'
    entry[#entry + 1] = act.details
  end
  audit(approvals.trail, entry)
end

-- Whom a request is for, as JSON.
local function roles_of(approvals, request)
  local known = redis.call('HMGET', approvals.hash, request .. ':roles', request)
  if known[1] then return known[1] end
  local roles = known[2] and cjson.decode(known[2]).roles or {}
  return #roles > 0 and cjson.encode(roles) or '[]'
end

-- Writes it down, and tells it those who follow the tenant's approvals, and the webhooks. `before` are the roles that the
-- request was for until then, if they have changed: who holds one of them sees it no more, and is to hear of that. So is
-- whoever had the thread of one that goes.
local function note(approvals, thread_id, request, act, now_us, before)
  record(approvals, thread_id, request, act, now_us)
  local revision = redis.call('HINCRBY', approvals.hash, request .. ':revision', 1)
  local owner = ''
  if act.kind == 'deleted' then
    owner = ',"owner":"' .. digest_of(unpack(redis.call('HMGET', approvals.thread, 'tenant', 'owner'))) .. '"'
  end
  emit(approvals.feed, approvals.log, {event('', 'approval', '', now_us, '{"type":' .. cjson.encode(act.kind) .. ',"thread_id":'
    .. cjson.encode(thread_id) .. ',"request_id":' .. cjson.encode(request) .. ',"revision":' .. revision .. ',"roles":'
    .. (before or roles_of(approvals, request)) .. owner .. '}')})
  redis.call('XTRIM', approvals.log, 'MAXLEN', '~', FEED)
  expire({approvals.feed, approvals.log}, FEED_S)
  local id = redis.sha1hex(thread_id .. '\31' .. request .. '\31' .. revision)
  post(approvals.box, approvals.thread, thread_id, id, 'approval.' .. act.kind, act.tell,
    '"approval":{"thread_id":' .. cjson.encode(thread_id) .. ',"request_id":' .. cjson.encode(request) .. ',"by":' ..
    cjson.encode(act.by) .. ',"said":' .. (act.said ~= '' and act.said or 'null') .. '}')
end

local function by_nobody(kind) return {kind = kind, actor = '', by = '', digest = '', said = '', details = '', tell = {}} end

-- When a request expires, and when the clock is to look at it (ms, '' = never).
local function await_clock(approvals, thread_id, request, due, wake)
  redis.call('HSET', approvals.hash, request .. ':due', due, request .. ':wake', wake)
  redis.call('ZADD', approvals.open, due ~= '' and due or '+inf', thread_id .. '\31' .. request)
  if wake ~= '' then redis.call('ZADD', approvals.timers, wake, timer(thread_id, request)) end
end

-- Makes a request wait, also again.
local function open(approvals, thread, thread_id, request, due, wake, now_us)
  redis.call('HSET', approvals.hash, request .. ':status', 'open', request .. ':votes', '[]')
  redis.call('HDEL', approvals.hash, request .. ':decision', request .. ':claim', request .. ':outcome',
    request .. ':roles')
  redis.call('ZREM', approvals.closed, thread_id .. '\31' .. request)
  redis.call('ZADD', approvals.asked, 'NX', now_us, thread_id .. '\31' .. request)
  await_clock(approvals, thread_id, request, due, wake)
  mark(thread, request, true)
end

local function close(approvals, thread, thread_id, request, status, now_us)
  redis.call('HSET', approvals.hash, request .. ':status', status)
  redis.call('HDEL', approvals.hash, request .. ':claim')
  redis.call('ZREM', approvals.open, thread_id .. '\31' .. request)
  redis.call('ZREM', approvals.asked, thread_id .. '\31' .. request)
  redis.call('ZADD', approvals.closed, now_us, thread_id .. '\31' .. request)
  redis.call('ZREM', approvals.timers, timer(thread_id, request))
  mark(thread, request, false)
end

-- Stores what somebody said to a request: the votes as they are then and, when they make one, the decision. `status` is
-- what the request becomes by it.
local function vote(approvals, thread, thread_id, ballot, now_us)
  local request = ballot.request
  if ballot.decision ~= '' then
    redis.call('HSET', thread, 'decision:' .. request, ballot.decision)
    tally(approvals.stats, 'decisions:' .. ballot.kind)
  end
  if redis.call('HEXISTS', approvals.hash, request) == 0 then return end  -- it began before approvals were kept
  redis.call('HSET', approvals.hash, request .. ':votes', ballot.votes)
  redis.call('HDEL', approvals.hash, request .. ':claim')
  if ballot.decision ~= '' then
    redis.call('HSET', approvals.hash, request .. ':decision', ballot.decision)
    close(approvals, thread, thread_id, request, ballot.status, now_us)
  end
  note(approvals, thread_id, request, ballot.act, now_us)
end

-- A request that waits when a run ends: new, asked again under another interrupt, with other words, or again after its
-- decision was used. What people have said to other words than these counts no more.
local function ask(approvals, thread, thread_id, asked, now_us)
  local request = asked.request
  local known = redis.call('HMGET', approvals.hash, request .. ':status', request .. ':question')
  redis.call('HSET', approvals.hash, request .. ':interrupt', asked.interrupt)
  if known[1] == 'open' and known[2] == asked.question then return end
  local before = known[1] and roles_of(approvals, request)
  redis.call('HSET', approvals.hash, request, asked.card, request .. ':question', asked.question)
  open(approvals, thread, thread_id, request, asked.due, asked.wake, now_us)
  note(approvals, thread_id, request, asked.act, now_us, before)
end

-- What the run came to that carried a decision out; of several runs the first.
local function carry_out(approvals, thread_id, done, now_us)
  if redis.call('HEXISTS', approvals.hash, done.request) == 0 then return end
  if redis.call('HSETNX', approvals.hash, done.request .. ':outcome', done.act.said) == 0 then return end
  note(approvals, thread_id, done.request, done.act, now_us)
end

-- Takes back the decision of a request, which then waits as before.
local function take_back(approvals, thread, thread_id, request, now_us)
  redis.call('HDEL', thread, 'decision:' .. request)
  if redis.call('HEXISTS', approvals.hash, request) == 0 or is_open(approvals, request) then return end
  local times = redis.call('HMGET', approvals.hash, request .. ':due', request .. ':wake')
  local before = roles_of(approvals, request)
  open(approvals, thread, thread_id, request, times[1] or '', times[2] or '', now_us)
  note(approvals, thread_id, request, by_nobody('reopened'), now_us, before)
end

-- Ends a run that no worker has claimed. The decisions it was to carry out are taken back with it: what they
-- answered goes on waiting, and may be answered again.
local function drop(approvals, thread, thread_id, runs, order, queue, events, run, action, now_us)
  redis.call('LREM', queue, 1, run)
  local asked = cjson.decode(redis.call('HGET', runs, run))
  for request in pairs(asked.decisions or {}) do take_back(approvals, thread, thread_id, request, now_us) end
  if action == 'rollback' then
    forget_run(runs, order, run)
  else
    redis.call('HSET', runs, run .. ':status', 'interrupted', run .. ':updated_at', now_us)
  end
  emit(thread, events, {event(run, 'end', '', now_us, '{"status":"interrupted"}')})
end

-- All that is kept of the thread's requests goes, but for what the audit trail says of them.
local function forget_approvals(approvals, thread_id, now_us)
  for _, field in ipairs(redis.call('HKEYS', approvals.hash)) do
    local request = string.match(field, '^(.*):status$')
    if request then
      local member = thread_id .. '\31' .. request
      if is_open(approvals, request) then note(approvals, thread_id, request, by_nobody('deleted'), now_us) end
      redis.call('ZREM', approvals.open, member)
      redis.call('ZREM', approvals.asked, member)
      redis.call('ZREM', approvals.closed, member)
      redis.call('ZREM', approvals.timers, timer(thread_id, request))
    end
  end
  redis.call('DEL', approvals.hash)
end
