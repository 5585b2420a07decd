-- KEYS items, expiry
-- ARGV key, name, owner whose item it may be ('' = everybody's), 1 = it is kept for another ttl
-- Returns the item, false when there is none.
local at = now_us()
local item, stored = find(KEYS[1], ARGV[1])
if not item or not owned(item, ARGV[3]) or not alive(item, KEYS[2], ARGV[2], at) then return false end
if ARGV[4] == '1' and item[TTL] > 0 then redis.call('ZADD', KEYS[2], math.floor(at / 1000) + item[TTL], ARGV[2]) end
return stored
