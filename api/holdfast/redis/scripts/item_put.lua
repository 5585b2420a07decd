-- KEYS items, vectors, namespaces, people, expiry
-- ARGV namespace, key, name, owner whose item it may be ('' = everybody's), who puts it, value, ttl (ms, 0 = none),
--      vectors ('' = none)
-- Returns 1, or 0 when the item is somebody else's.
local at = now_us()
local namespace, key, name = ARGV[1], ARGV[2], ARGV[3]
local old = find(KEYS[1], key)
local kept = old and alive(old, KEYS[5], name, at)
if kept and not owned(old, ARGV[4]) then return 0 end
if old then
  redis.call('ZREM', KEYS[4], person(old, OWNER, namespace, key), person(old, AUTHOR, namespace, key))
end
local item = {kept and old[CREATED] or at, at, tonumber(ARGV[7]), kept and old[OWNER] or ARGV[5], ARGV[5], ARGV[6]}
redis.call('HSET', KEYS[1], key, cmsgpack.pack(item))
redis.call('ZADD', KEYS[3], 0, namespace)
redis.call('ZADD', KEYS[4], 0, person(item, OWNER, namespace, key), 0, person(item, AUTHOR, namespace, key))
if item[TTL] == 0 then
  redis.call('ZREM', KEYS[5], name)
else
  redis.call('ZADD', KEYS[5], math.floor(at / 1000) + item[TTL], name)
end
if ARGV[8] == '' then
  redis.call('HDEL', KEYS[2], key)
else
  redis.call('HSET', KEYS[2], key, ARGV[8])
end
return 1
