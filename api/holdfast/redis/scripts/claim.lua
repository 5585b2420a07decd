-- KEYS thread, runs, queue, events, the lane's schedule
-- ARGV thread_id, entry, nonce (one a claim: a repeated call finds its own token), now_us, worker
-- Returns {run_id, token, attempt, failures, request, cancel, owner, tenant, hold, ttl, protocol, asking, handback}, or
-- false when the entry gives no right to a run.
local thread, runs, queue, events = unpack(KEYS, 1, 4)
local lane = lane_of(5)
refill(lane)
local run = redis.call('LINDEX', queue, 0)
if not run or redis.call('EXISTS', thread) == 0 then
  discard(lane, ARGV[2])
  return false
end
local held = redis.call('HMGET', thread, 'token', 'entry', 'tenant')
local token = held[1]
local attempt, failures
if string.match(token, ':(.*)$') == ARGV[3] then
  local counts = redis.call('HMGET', runs, run .. ':attempt', run .. ':failures')
  attempt, failures = counts[1], counts[2]
else
  -- A worker that comes late finds that its entry has passed to another one, or is done.
  if #redis.call('XPENDING', lane.ready, 'workers', ARGV[2], ARGV[2], 1, ARGV[5]) == 0 then return false end
  -- The thread is held under another entry: this one was left by a run that was cancelled.
  if token ~= '' and held[2] and held[2] ~= ARGV[2] then
    discard(lane, ARGV[2])
    return false
  end
  redis.call('XCLAIM', lane.ready, 'workers', ARGV[5], 0, ARGV[2], 'IDLE', 0, 'JUSTID')
  -- Counted before the start, so that a run which kills its worker is counted too.
  attempt = redis.call('HINCRBY', runs, run .. ':attempt', 1)
  failures = redis.call('HINCRBY', runs, run .. ':failures', 1)
  token = redis.call('HINCRBY', thread, 'epoch', 1) .. ':' .. ARGV[3]
  redis.call('HSET', thread, 'token', token, 'written', 0, 'active', run, 'entry', ARGV[2])
  if redis.call('HGET', runs, run .. ':status') ~= 'running' then count_running(lane, held[3], 1) end
  redis.call('HSET', runs, run .. ':status', 'running', run .. ':updated_at', ARGV[4])
  if attempt == 1 then redis.call('HSET', runs, run .. ':started_at', ARGV[4]) end
  emit(thread, events,
    {event(run, 'metadata', '', ARGV[4], '{"run_id":"' .. run .. '","attempt":' .. attempt .. '}')})
end
local found = redis.call('HMGET', runs, run, run .. ':cancel')
local it = redis.call('HMGET', thread, 'owner', 'tenant', 'hold', 'ttl', 'protocol', 'asking', 'handback',
  'handback_past')
local handback = it[7] or ''
-- What was left on handing back is for a run that was put in line after it.
if (it[3] or '') ~= '' or string.find(it[8] or '', run, 1, true) then handback = '' end
if handback ~= '' then redis.call('HSET', thread, 'handback_run', run) end
return {run, token, tonumber(attempt), tonumber(failures), found[1], found[2] or '',
  it[1], it[2], it[3] or '', it[4] or '', it[5] or '', it[6] or '', handback}
