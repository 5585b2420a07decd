-- Takes a lock, keeps it for longer, or gives it up. It goes by itself when its holder does.
-- KEYS lock
-- ARGV token of who asks, how long (ms; 0 gives it up)
-- Returns 1, or 0 when it is somebody else's.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
