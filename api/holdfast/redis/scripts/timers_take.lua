-- Takes what is due for a while, so that no two workers deal with it: when that time is over, it is due again.
-- KEYS timers
-- ARGV now (ms), until (ms: a repeated call finds its own), member ...
-- Returns the members that were taken: those that are still due.
local now, till = tonumber(ARGV[1]), tonumber(ARGV[2])
local taken = {}
for i = 3, #ARGV do
  local due = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]) or math.huge)
  if due <= now or due == till then
    redis.call('ZADD', KEYS[1], ARGV[2], ARGV[i])
    taken[#taken + 1] = ARGV[i]
  end
end
return taken
