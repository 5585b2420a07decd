-- Shared by the scripts that write to a thread. An event is text: run, mode, namespace, time (ms) and JSON
-- data, joined by the unit separator, which JSON never contains.
local function event(run, mode, namespace, at_us, data)
  return table.concat({run, mode, namespace, string.format('%.0f', math.floor(at_us / 1000)), data}, '\31')
end

-- Appends events under the thread's own sequence and pushes them to the readers. Of an event whose data a
-- checkpoint holds, the log keeps what comes up to the group separator: where that is.
local function emit(thread, events, list)
  local at = redis.call('HMGET', thread, 'epoch', 'seq')
  local epoch, seq = at[1] or '0', tonumber(at[2] or 0)
  for i, text in ipairs(list) do
    local cut = string.find(text, '\29', 1, true)
    redis.call('XADD', events, epoch .. '-' .. string.format('%.0f', seq + i), 'e', cut and string.sub(text, 1, cut) or text)
  end
  redis.call('HSET', thread, 'seq', seq + #list)
  redis.call('SPUBLISH', events,
    epoch .. '-' .. string.format('%.0f', seq + 1) .. '\30' .. table.concat(list, '\30'))
end

-- True when the thread exists and the caller may use it; owner '' stands for the whole tenant.
local function visible(thread, tenant, owner)
  local it = redis.call('HMGET', thread, 'tenant', 'owner')
  return it[1] == tenant and (owner == '' or it[2] == owner)
end

-- Tells threads' owners apart where their names must not be read.
local function digest_of(tenant, owner) return redis.sha1hex(tenant .. '\0' .. owner) end

-- Whether an owner may make a thread: under this id the log of somebody else's may still be read.
local function vacant(departed, tenant, owner)
  local digest = redis.call('GET', departed)
  return not digest or digest == digest_of(tenant, owner)
end

-- Makes the record of a thread. Its log goes on after what is left there of one that had the same id.
local function make(thread, events, departed, tenant, owner, now_us)
  local epoch, seq = 0, 0
  local log = redis.call('EXISTS', events) == 1 and redis.call('XINFO', 'STREAM', events) or {}
  for i = 1, #log, 2 do
    if log[i] == 'last-generated-id' then epoch, seq = string.match(log[i + 1], '(%d+)-(%d+)') end
  end
  redis.call('HSET', thread, 'owner', owner, 'tenant', tenant, 'created_at', now_us, 'updated_at', now_us,
    'state_updated_at', now_us, 'status', 'idle', 'epoch', epoch, 'token', '', 'seq', seq)
  redis.call('DEL', departed)
end

-- HSET of any number of fields: unpack() puts its results on the Lua stack, which is bounded.
local function set(key, list, first)
  for i = first, #list, 1000 do
    redis.call('HSET', key, unpack(list, i, math.min(i + 999, #list)))
  end
end

-- Gives a thread all of its checkpoints: field, value ...
local function fill(checkpoints, index, registry, thread_id, values)
  set(checkpoints, values, 1)
  for i = 1, #values, 2 do
    local kind = string.sub(values[i], 1, 1)
    if kind == 'c' or kind == 'w' then redis.call('ZADD', index, 0, values[i]) end
  end
  if #values > 0 then
    redis.call('SADD', registry, thread_id)
    redis.call('PERSIST', registry)
  end
end

-- Whether a hash has other values than these in fields that follow each other in a list.
local function differs(key, list, first)
  for i = first, #list, 2 do
    if redis.call('HGET', key, list[i]) ~= list[i + 1] then return true end
  end
  return false
end

-- All keys of a thread go together or not at all; 0 seconds means never.
local function expire(keys, seconds)
  for _, key in ipairs(keys) do
    if seconds > 0 then redis.call('EXPIRE', key, seconds) else redis.call('PERSIST', key) end
  end
end

-- Where a time is less than 0, all but the latest checkpoint of a thread goes at its end, which is the clock's work. `prunes`
-- says that a timer is set.
local function prune_later(thread, timers, thread_id, ttl, set_before)
  if ttl >= 0 and not set_before then return end
  local member = 'prune\31' .. thread_id
  if ttl >= 0 then
    redis.call('ZREM', timers, member)
    redis.call('HDEL', thread, 'prunes')
    return
  end
  local clock = redis.call('TIME')
  redis.call('ZADD', timers, string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000) - ttl * 1000), member)
  redis.call('HSET', thread, 'prunes', 1)
end

-- All that goes when a thread's time is up, as `Keys.lapsing` lists it.
local function lapsing_of(first)
  local thread, runs, order, events, checkpoints, index, approvals = unpack(KEYS, first, first + 6)
  return {thread = thread, events = events, others = {runs, order, checkpoints, index, approvals}}
end

-- Begins the time that a thread at rest is kept, unless a run of it is still to come: while it has a cron, a request of
-- it waits, or a person is asked for or has taken it over, it is kept without end. Its log goes before the rest.
local function lapse(lapsing, timers, thread_id, ttl, keep)
  local at = redis.call('HMGET', lapsing.thread, 'delayed', 'asking', 'crons', 'hold', 'ttl_s', 'interrupts', 'prunes')
  if tonumber(at[1] or 0) > 0 then return end
  if at[5] and (ttl ~= 0 or (at[6] or '{}') == '{}') then ttl = tonumber(at[5]) end  -- changed since the caller looked
  if string.find(at[2] or '', '%S') or (at[3] or '') ~= '' or (at[4] or '') ~= '' then ttl = 0 end
  expire({lapsing.thread, unpack(lapsing.others)}, ttl)
  prune_later(lapsing.thread, timers, thread_id, ttl, at[7])
  redis.call('EXPIRE', lapsing.events, ttl > 0 and math.min(ttl, keep) or keep)
end

-- What a thread is when no run of it is active.
local function rest(thread)
  local interrupts = redis.call('HGET', thread, 'interrupts')
  return (interrupts and interrupts ~= '{}') and 'interrupted' or 'idle'
end

local function forget_run(runs, order, run)
  redis.call('ZREM', order, run)
  redis.call('HDEL', runs, run, run .. ':status', run .. ':started_at', run .. ':attempt', run .. ':failures',
    run .. ':cancel', run .. ':updated_at', run .. ':error', run .. ':finished', run .. ':tokens', run .. ':node', run .. ':push')
end
