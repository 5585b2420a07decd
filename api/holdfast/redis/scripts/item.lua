-- Shared by the scripts of the store. An item is {created (us), updated (us), ttl (ms), owner, author, value}; when one
-- with a ttl expires says `expiry`. Its name tells where it is, in lists of items of several namespaces.
local CREATED, TTL, OWNER, AUTHOR = 1, 3, 4, 5

local function now_us()
  local now = redis.call('TIME')
  return now[1] * 1000000 + now[2]
end

-- The item and how it is stored; false when there is none.
local function find(items, key)
  local stored = redis.call('HGET', items, key)
  return stored and cmsgpack.unpack(stored), stored
end

-- Whether an item is there for readers: until its time is up, however late it is deleted.
local function alive(item, expiry, name, at_us)
  if item[TTL] == 0 then return true end
  local due = redis.call('ZSCORE', expiry, name)
  return due and tonumber(due) * 1000 > at_us
end

-- Whether an item is among those of an owner; '' stands for everybody.
local function owned(item, owner) return owner == '' or item[OWNER] == owner end

local function person(item, role, namespace, key)
  return item[role] .. '\0\0' .. namespace .. '\0\0' .. key
end
