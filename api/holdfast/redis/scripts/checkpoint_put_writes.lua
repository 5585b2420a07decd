-- Stores writes of a task: the first one under a name stays, but a special one (error, interrupt, resume)
-- takes the place of the earlier one.
-- ARGV: token, ttl, thread id, n, n names expected to be here, m, m times (name, element),
--       then (name, value, '1' to replace or '0')...
-- Reply: the names that are missing; then nothing was stored.
local refused = stale(ARGV[1])
if refused then return refused end
local elements = 5 + tonumber(ARGV[4])
local missing = absent(5, elements - 1)
if #missing > 0 then return missing end

local writes = elements + 1 + 2 * tonumber(ARGV[elements])
for at = elements + 1, writes - 1, 2 do
  redis.call('HSET', VALUES, ARGV[at], ARGV[at + 1])
end
for at = writes, #ARGV, 3 do
  redis.call(ARGV[at + 2] == '1' and 'HSET' or 'HSETNX', VALUES, ARGV[at], ARGV[at + 1])
  redis.call('ZADD', INDEX, 0, ARGV[at])
end
keep(ARGV[3], tonumber(ARGV[2]))
return missing
