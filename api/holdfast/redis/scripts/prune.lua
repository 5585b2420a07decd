-- Takes ids off a list whose keys are gone.
-- KEYS list, a key of each id
-- ARGV command that takes an id off (ZREM or SREM), id ...
local removed = 0
for i = 2, #ARGV do
  if redis.call('EXISTS', KEYS[i]) == 0 then removed = removed + redis.call(ARGV[1], KEYS[1], ARGV[i]) end
end
return removed
