-- Which threads may run. A thread with runs in line stands in exactly one place: in `waiting`, ordered so that
-- tenants take turns, or in `ready`, which holds no more than workers will take soon.
local READY = 100

local function lane_of(first)
  return {ready = KEYS[first], waiting = KEYS[first + 1], shares = KEYS[first + 2], queued = KEYS[first + 3]}
end

-- How many entries `ready` has room for; those that a worker holds do not count.
local function room(lane)
  local held = redis.pcall('XPENDING', lane.ready, 'workers')
  return READY - redis.call('XLEN', lane.ready) + (held.err and 0 or held[1])
end

local function refill(lane)
  local free = redis.call('EXISTS', lane.waiting) == 1 and room(lane) or 0
  if free <= 0 then return end
  local threads = redis.call('ZPOPMIN', lane.waiting, free)
  for i = 1, #threads, 2 do redis.call('XADD', lane.ready, '*', 't', threads[i]) end
  if redis.call('EXISTS', lane.waiting) == 1 then
    redis.call('HSET', lane.shares, '', threads[#threads])
  else
    redis.call('DEL', lane.shares)
  end
end

-- The entry names the thread only: whoever claims it takes the run that is first in line by then. A thread's
-- turn comes one after the last of its tenant, or after the turn that is on now: so a tenant with a thousand
-- threads waiting and one with a single thread alternate.
local function dispatch(lane, thread_id, tenant)
  if redis.call('EXISTS', lane.waiting) == 0 and room(lane) > 0 then
    redis.call('XADD', lane.ready, '*', 't', thread_id)
    return
  end
  local turns = redis.call('HMGET', lane.shares, '', tenant)
  local turn = math.max(tonumber(turns[1] or 0), tonumber(turns[2] or 0)) + 1
  redis.call('HSET', lane.shares, tenant, turn)
  redis.call('ZADD', lane.waiting, turn, thread_id)
  refill(lane)
end

-- Takes an entry out of `ready`.
local function discard(lane, entry)
  redis.call('XACK', lane.ready, 'workers', entry)
  redis.call('XDEL', lane.ready, entry)
end

-- Counts the runs that have not ended: in all, of a tenant, and of a caller in it. `<run>:caller` is there for as long
-- as the run is counted.
local function caller_of(tenant, caller) return tenant .. '\31' .. caller end

local function count(lane, tenant, caller, change)
  for _, who in ipairs({'', tenant, caller_of(tenant, caller)}) do
    if redis.call('HINCRBY', lane.queued, who, change) <= 0 then redis.call('HDEL', lane.queued, who) end
  end
end

-- Counts those of a tenant that a worker has, under a name that no caller and no tenant has.
local function count_running(lane, tenant, change)
  local who = caller_of('', tenant)
  if redis.call('HINCRBY', lane.queued, who, change) <= 0 then redis.call('HDEL', lane.queued, who) end
end

local function count_in(lane, runs, run, tenant, caller)
  redis.call('HSET', runs, run .. ':caller', caller)
  count(lane, tenant, caller, 1)
end

local function count_out(lane, runs, run, tenant)
  local caller = redis.call('HGET', runs, run .. ':caller') or ''
  redis.call('HDEL', runs, run .. ':caller')
  count(lane, tenant, caller, -1)
  if redis.call('HGET', runs, run .. ':status') == 'running' then count_running(lane, tenant, -1) end
end
