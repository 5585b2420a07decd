-- The right to bring the records of an installation up to date: one process has it, for a while, by the server's clock.
-- KEYS installation
-- ARGV token, for how long (ms; 0 lets go), version that is reached ('' = none yet), version that is needed to read it
-- Returns 1, or 0 when another process has it.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'migrating', 'migrating_until')
if held[1] and held[1] ~= ARGV[1] and tonumber(held[2]) > now_ms then return 0 end
if ARGV[3] ~= '' then
  if held[1] ~= ARGV[1] then return 0 end  -- it was overtaken: another process does it again
  redis.call('HSET', KEYS[1], 'records', ARGV[3], 'readable', ARGV[4])
end
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], 'migrating', 'migrating_until')
else
  redis.call('HSET', KEYS[1], 'migrating', ARGV[1], 'migrating_until', string.format('%.0f', now_ms + ARGV[2]))
end
return 1
