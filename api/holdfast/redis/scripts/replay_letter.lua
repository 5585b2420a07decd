-- Makes a letter due now, with all its attempts before it.
-- KEYS outbox, dead, letters
-- ARGV thread_id, letter
-- Returns 0 when it is gone.
local member, id = ARGV[1] .. '\31' .. ARGV[2], ARGV[2]
if redis.call('HEXISTS', KEYS[3], id) == 0 then return 0 end
redis.call('HDEL', KEYS[3], id .. ':attempts', id .. ':error')
redis.call('ZREM', KEYS[2], member)
redis.call('ZADD', KEYS[1], clock_ms(0), member)
redis.call('SPUBLISH', KEYS[1], '')
return 1
