-- Counts a stream among those that are open, for as long as its lease is renewed. A stream that is counted counts once.
-- KEYS open streams ... (sorted sets by the end of their leases)
-- ARGV stream, lease (ms), most of each
-- Returns 0, or the number of the set that is full: then nothing was changed.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  local counted = redis.call('ZSCORE', key, ARGV[1])
  if not counted and redis.call('ZCARD', key) >= tonumber(ARGV[i + 2]) then return i end
end
for _, key in ipairs(KEYS) do
  redis.call('ZADD', key, now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', key, ARGV[2])
end
return 0
