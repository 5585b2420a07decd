-- KEYS thread, runs, order, queue, events, cancels, timers, the lane's schedule, the index, approvals
-- ARGV run_id, action, now_us, thread_id
-- Returns 'missing', 'finished', 'dropped' (it had not started) or 'asked' (its worker will end it).
local thread, runs, order, queue, events, cancels = unpack(KEYS, 1, 6)
local run, action, now_us = unpack(ARGV)
local status = redis.call('HGET', runs, run .. ':status')
if not status then return 'missing' end
if status ~= 'pending' and status ~= 'running' then return 'finished' end
local held = redis.call('HMGET', thread, 'token', 'active', 'pushes')
if held[1] ~= '' and held[2] == run then
  redis.call('HSET', runs, run .. ':cancel', action)
  redis.call('SPUBLISH', cancels, run .. '\31' .. action)
  return 'asked'
end
local approvals = approvals_of(16)
report(approvals.box, thread, ARGV[4], runs, run, 'interrupted', now_us, '{}')
if held[3] then push(approvals.box, thread, ARGV[4], runs, run) end
count_out(lane_of(8), runs, run, redis.call('HGET', thread, 'tenant'))
drop(approvals, thread, ARGV[4], runs, order, queue, events, run, action, now_us)
if redis.call('ZREM', KEYS[7], 'run\31' .. ARGV[4] .. '\31' .. run) == 1 then
  redis.call('HINCRBY', thread, 'delayed', -1)
end
if redis.call('EXISTS', queue) == 0 then redis.call('HSET', thread, 'status', rest(thread), 'updated_at', now_us) end
index_state(index_of(12), thread, ARGV[4])
return 'dropped'
