-- KEYS thread, runs, queue, events, the lane's schedule
-- ARGV thread_id, entry, nonce (one a claim: a repeated call finds its own token), now_us
-- Returns {run_id, token, attempt, failures, request, cancel, owner, tenant, hold, ttl}, or false when nothing
-- is left to run.
local thread, runs, queue, events = unpack(KEYS, 1, 4)
local lane = lane_of(5)
refill(lane)
local run = redis.call('LINDEX', queue, 0)
if not run or redis.call('EXISTS', thread) == 0 then
  redis.call('XACK', lane.ready, 'workers', ARGV[2])
  redis.call('XDEL', lane.ready, ARGV[2])
  return false
end
local token = redis.call('HGET', thread, 'token')
local attempt, failures
if string.match(token, ':(.*)$') == ARGV[3] then
  local counts = redis.call('HMGET', runs, run .. ':attempt', run .. ':failures')
  attempt, failures = counts[1], counts[2]
else
  -- Counted before the start, so that a run which kills its worker is counted too.
  attempt = redis.call('HINCRBY', runs, run .. ':attempt', 1)
  failures = redis.call('HINCRBY', runs, run .. ':failures', 1)
  token = redis.call('HINCRBY', thread, 'epoch', 1) .. ':' .. ARGV[3]
  redis.call('HSET', thread, 'token', token, 'written', 0, 'active', run)
  redis.call('HSET', runs, run .. ':status', 'running', run .. ':updated_at', ARGV[4])
  emit(thread, events,
    {event(run, 'metadata', '', ARGV[4], '{"run_id":"' .. run .. '","attempt":' .. attempt .. '}')})
end
local found = redis.call('HMGET', runs, run, run .. ':cancel')
local it = redis.call('HMGET', thread, 'owner', 'tenant', 'hold', 'ttl')
return {run, token, tonumber(attempt), tonumber(failures), found[1], found[2] or '',
  it[1], it[2], it[3] or '', it[4] or ''}
