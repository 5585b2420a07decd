-- KEYS items, vectors, namespaces, people, expiry
-- ARGV namespace, key, name, owner whose item it may be ('' = everybody's), who puts it, value, ttl (ms, 0 = none),
--      vectors ('' = none), most items of the tenant (0 = any number)
-- Returns 'put', 'taken' (the item is somebody else's) or 'full' (of items, each counted once for its owner and once for
-- another who has put it last).
local at = now_us()
local namespace, key, name = ARGV[1], ARGV[2], ARGV[3]
local old = find(KEYS[1], key)
local kept = old and alive(old, KEYS[5], name, at)
if kept and not owned(old, ARGV[4]) then return 'taken' end
local most = tonumber(ARGV[9])
if not old and most > 0 and redis.call('ZCARD', KEYS[4]) >= most then return 'full' end
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
return 'put'
