-- Changes a cron, if it is still what it was when it was read, and sets its timer.
-- KEYS cron, timers
-- ARGV revision, timer, due (ms, '' = nothing is to come), field, value ...
-- Returns 1, or 0 when somebody has changed it since, or it is gone.
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then return 0 end
if #ARGV > 3 then set(KEYS[1], ARGV, 4) end
redis.call('HSET', KEYS[1], 'due', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'revision', 1)
set_timer(KEYS[2], ARGV[2], ARGV[3])
return 1
