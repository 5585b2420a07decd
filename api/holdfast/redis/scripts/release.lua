-- Hands a run back: it goes on from its last checkpoint on another worker, and this attempt counts as no failure.
-- KEYS thread, runs, the lane's schedule
-- ARGV token, thread_id, run_id, entry, now_us
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'token', '', 'active', '')
redis.call('HINCRBY', KEYS[2], ARGV[3] .. ':failures', -1)
redis.call('HSET', KEYS[2], ARGV[3] .. ':status', 'pending', ARGV[3] .. ':updated_at', ARGV[5])
local lane = lane_of(3)
local tenant = redis.call('HGET', KEYS[1], 'tenant')
count_running(lane, tenant, -1)
discard(lane, ARGV[4])
dispatch(lane, ARGV[2], tenant)
return 1
