-- Puts a value in the place of another, where that is still what it was: under its old name, so that whatever
-- refers to it goes on doing so, also if it was named by its content.
-- ARGV token, name, old value, new value ...
local refused = stale(ARGV[1])
if refused then return refused end
local changed = 0
for i = 2, #ARGV, 3 do
  if redis.call('HGET', VALUES, ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', VALUES, ARGV[i], ARGV[i + 2])
    changed = changed + 1
  end
end
return changed
