-- Takes timers off, or moves them, each only if it is still where it was put when it was taken: what has been set
-- anew since stays.
-- KEYS timers
-- ARGV until (ms), member, next due (ms, '' = none) ...
local settled = 0
for i = 2, #ARGV, 2 do
  local due = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if due and tonumber(due) == tonumber(ARGV[1]) then
    set_timer(KEYS[1], ARGV[i], ARGV[i + 1])
    settled = settled + 1
  end
end
return settled
