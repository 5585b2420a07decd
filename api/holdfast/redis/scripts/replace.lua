-- Changes fields of a hash, each only if it is still what it was. The revision of a request whose votes or claim change
-- is raised, so that nobody writes on top of what was read before.
-- KEYS hash
-- ARGV field, old, new ...
local changed = 0
for i = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    changed = changed + 1
    local request = ARGV[i]:match('^(.+):votes$') or ARGV[i]:match('^(.+):claim$')
    if request then redis.call('HINCRBY', KEYS[1], request .. ':revision', 1) end
  end
end
return changed
