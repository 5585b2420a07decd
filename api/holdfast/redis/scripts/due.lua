-- Puts a run that was to start later in line, once.
-- KEYS thread, runs, queue, timers, the lane's schedule, the index but for its order of updates
-- ARGV thread_id, run_id
local thread, runs, queue = unpack(KEYS, 1, 3)
local thread_id, run = unpack(ARGV)
if redis.call('ZREM', KEYS[4], 'run\31' .. thread_id .. '\31' .. run) == 0 then return 0 end
if redis.call('HGET', runs, run .. ':status') ~= 'pending' then return 0 end  -- its thread is gone
redis.call('HINCRBY', thread, 'delayed', -1)
redis.call('HSET', thread, 'status', 'busy')
if redis.call('RPUSH', queue, run) == 1 then
  dispatch(lane_of(5), thread_id, redis.call('HGET', thread, 'tenant'))
end
index_state(index_of(9), thread, thread_id)
return 1
