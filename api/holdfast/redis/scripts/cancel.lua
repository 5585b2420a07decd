-- KEYS thread, runs, order, queue, events, cancels, due, the lane's schedule, and last outbox, letters
-- ARGV run_id, action, now_us, thread_id
-- Returns 'missing', 'finished', 'dropped' (it had not started) or 'asked' (its worker will end it).
local thread, runs, order, queue, events, cancels = unpack(KEYS, 1, 6)
local run, action, now_us = unpack(ARGV)
local status = redis.call('HGET', runs, run .. ':status')
if not status then return 'missing' end
if status ~= 'pending' and status ~= 'running' then return 'finished' end
local held = redis.call('HMGET', thread, 'token', 'active')
if held[1] ~= '' and held[2] == run then
  redis.call('HSET', runs, run .. ':cancel', action)
  redis.call('SPUBLISH', cancels, run .. '\31' .. action)
  return 'asked'
end
report(box_of(#KEYS - 1), thread, ARGV[4], runs, run, 'interrupted', now_us, '{}')
drop(thread, runs, order, queue, events, run, action, now_us)
count(lane_of(8), redis.call('HGET', thread, 'tenant'), -1)
if redis.call('ZREM', KEYS[7], ARGV[4] .. '\31' .. run) == 1 then
  redis.call('HINCRBY', thread, 'delayed', -1)
end
if redis.call('EXISTS', queue) == 0 then redis.call('HSET', thread, 'status', rest(thread), 'updated_at', now_us) end
return 'dropped'
