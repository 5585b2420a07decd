-- KEYS items, vectors, namespaces, people, expiry
-- ARGV namespace, key, name, which: 'owned' by ARGV[5] ('' = by anybody), 'of' ARGV[5] as owner or author, 'expired'
-- Returns how many items were deleted.
local namespace, key, name, which = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local item = find(KEYS[1], key)
if not item then
  if which == 'expired' then redis.call('ZREM', KEYS[5], name) end
  return 0
end
if which == 'owned' and not owned(item, ARGV[5]) then return 0 end
if which == 'of' and item[OWNER] ~= ARGV[5] and item[AUTHOR] ~= ARGV[5] then return 0 end
if which == 'expired' and alive(item, KEYS[5], name, now_us()) then return 0 end
redis.call('HDEL', KEYS[1], key)
redis.call('HDEL', KEYS[2], key)
redis.call('ZREM', KEYS[4], person(item, OWNER, namespace, key), person(item, AUTHOR, namespace, key))
redis.call('ZREM', KEYS[5], name)
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', KEYS[3], namespace) end
return 1
