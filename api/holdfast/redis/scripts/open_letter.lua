-- Takes a letter that is due, for a time in which nobody else will. Counted before it is sent, so that a letter which
-- kills its worker is counted too; the count also tells later who may say what became of it.
-- KEYS outbox, letters
-- ARGV thread_id, letter, lease (ms)
-- Returns {letter, attempt, what became of the last attempt}, or false when there is nothing to be done.
local member, id = ARGV[1] .. '\31' .. ARGV[2], ARGV[2]
local due = redis.call('ZSCORE', KEYS[1], member)
if not due or tonumber(due) > tonumber(clock_ms(0)) then return false end
local letter = redis.call('HGET', KEYS[2], id)
if not letter then
  redis.call('ZREM', KEYS[1], member)
  return false
end
redis.call('ZADD', KEYS[1], clock_ms(tonumber(ARGV[3])), member)
return {letter, redis.call('HINCRBY', KEYS[2], id .. ':attempts', 1), redis.call('HGET', KEYS[2], id .. ':error') or ''}
