-- KEYS API key
-- ARGV digest of the secret, now_us, how many us old the time of its last use may be
-- Returns its fields and values, or nothing when there is no such key or the secret is another.
local found = redis.call('HGETALL', KEYS[1])
local known = redis.call('HMGET', KEYS[1], 'digest', 'last_used_at')
if not known[1] or known[1] ~= ARGV[1] then return false end
if tonumber(ARGV[2]) - tonumber(known[2] or 0) > tonumber(ARGV[3]) then
  redis.pcall('HSET', KEYS[1], 'last_used_at', ARGV[2])  -- a server that takes no writes may still be read
end
return found
