-- Stores a checkpoint with its values: all of it, or, when something it refers to is not here, nothing.
-- ARGV: token, ttl, thread id, name of the checkpoint, n, n names expected to be here, name, value, name, value...
-- Reply: the names that are missing.
local refused = stale(ARGV[1])
if refused then return refused end
local first = 6 + tonumber(ARGV[5])
local missing = absent(6, first - 1)
if #missing > 0 then return missing end

for from = first, #ARGV, BATCH do
  redis.call('HSET', VALUES, unpack(ARGV, from, math.min(from + BATCH - 1, #ARGV)))
end
redis.call('ZADD', INDEX, 0, ARGV[4])
keep(ARGV[3], tonumber(ARGV[2]))
return missing
