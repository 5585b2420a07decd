-- Says what became of an attempt to deliver a letter.
-- KEYS outbox, dead, letters
-- ARGV thread_id, letter, attempt, 'later' or 'dead', attempts that count, time until the next (ms), reason
-- Returns 0 when somebody else has the letter by now, or it is gone.
local member, id = ARGV[1] .. '\31' .. ARGV[2], ARGV[2]
if redis.call('HEXISTS', KEYS[3], id) == 0 then return 0 end
if redis.call('HGET', KEYS[3], id .. ':attempts') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[3], id .. ':attempts', ARGV[5], id .. ':error', ARGV[7])
if ARGV[4] == 'later' then
  redis.call('ZADD', KEYS[1], clock_ms(tonumber(ARGV[6])), member)
else
  redis.call('ZREM', KEYS[1], member)
  redis.call('ZADD', KEYS[2], clock_ms(0), member)
end
return 1
