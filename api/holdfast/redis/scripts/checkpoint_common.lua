-- Shared by the checkpoint scripts.
--
-- A thread has two keys. The hash VALUES holds, each under a name of NUL-separated parts,
--   c ns id            a checkpoint: an envelope (parent, run, kind, names of its values, ...)
--   b ns channel ver   the value of a channel in one version
--   p ns id            the row of a checkpoint: writes that wait for the next step, 'P' and, for each task in turn,
--                      task NUL path NUL n NUL and n times (idx NUL channel NUL length NUL value)
--   w ns id task idx   such a write with a field of its own: 'W' path NUL channel NUL value
--   e<16 byte digest>  an element of a list, or a chunk of such references, named by its content
-- and the sorted set INDEX holds the names c... and w... in order (all scores are 0).
-- A value starts with V (serialized bytes), Z (the same, compressed) or L (a list: a row of 17-byte references).
local FENCE, VALUES, INDEX, REGISTRY = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local RS, US = '\30', '\31'
local BATCH = 1000 -- unpack() puts its results on the Lua stack, which is bounded

local function stale(token)
  if (redis.call('HGET', FENCE, 'token') or '') ~= token then
    return redis.error_reply('FENCED the thread has been claimed by another worker')
  end
end

local function batches(list, command)
  for first = 1, #list, BATCH do
    command(unpack(list, first, math.min(first + BATCH - 1, #list)))
  end
end

-- Adds the named fields to `out` (name, value, name, value...), each once; returns the values that were new.
local function fetch(names, out, seen)
  local wanted, fresh = {}, {}
  for _, name in ipairs(names) do
    if not seen[name] then
      seen[name] = true
      wanted[#wanted + 1] = name
    end
  end
  for first = 1, #wanted, BATCH do
    local last = math.min(first + BATCH - 1, #wanted)
    local found = redis.call('HMGET', VALUES, unpack(wanted, first, last))
    for offset = 0, last - first do
      local value = found[offset + 1]
      if value then
        out[#out + 1] = wanted[first + offset]
        out[#out + 1] = value
        fresh[#fresh + 1] = value
      end
    end
  end
  return fresh
end

-- Calls visit(task, path, idx, channel, value, first byte, last byte) for each write of a row; false where the row goes
-- on as none does.
local function each_write(row, visit)
  local at, whole = 2, string.sub(row, 1, 1) == 'P'
  while whole and at <= #row do
    local task, path, count, after = string.match(row, '^([^%z]*)%z([^%z]*)%z(%d+)%z()', at)
    if not after then return false end
    for _ = 1, tonumber(count) do
      local first = after
      local index, channel, length, start = string.match(row, '^([^%z]*)%z([^%z]*)%z(%d+)%z()', first)
      after = start and start + length
      if not after or after > #row + 1 then return false end
      visit(task, path, index, channel, string.sub(row, start, after - 1), first, after - 1)
    end
    at = after
  end
  return whole
end

-- The names that these values refer to.
local function references(values)
  local names = {}
  local function add(value, start)
    if string.sub(value, start, start) ~= 'L' then return end
    for at = start + 1, #value, 17 do
      names[#names + 1] = string.sub(value, at, at + 16)
    end
  end
  for _, value in ipairs(values) do
    local kind = string.sub(value, 1, 1)
    if kind == 'P' then
      each_write(value, function(_, _, _, _, written) add(written, 1) end)
    elseif kind == 'W' then
      add(value, string.match(value, '^W[^%z]*%z[^%z]*%z()') or #value + 1)
    else
      add(value, 1)
    end
  end
  return names
end

-- Adds the named fields and all they refer to, level by level.
local function fetch_whole(names, out, seen)
  while #names > 0 do
    names = references(fetch(names, out, seen))
  end
end

local function parts(text)
  local found = {}
  for part in string.gmatch(text or '', '[^\31]+') do
    found[#found + 1] = part
  end
  return found
end

local function envelope(bytes)
  local field = '([^\30]*)\30'
  local parent, run, kind, names, nulls = string.match(bytes, '^' .. field .. field .. field .. field .. field)
  return { parent = parent or '', run = run, kind = kind, names = parts(names), nulls = parts(nulls) }
end

local function members(prefix)
  return redis.call('ZRANGEBYLEX', INDEX, '[' .. prefix, '(' .. prefix .. '\255')
end

-- 'c ns id' -> the prefix of the names of its writes
local function writes_of(checkpoint)
  return 'w' .. string.sub(checkpoint, 2) .. '\0'
end

local function row_of(checkpoint)
  return 'p' .. string.sub(checkpoint, 2)
end

-- Adds the writes in the row of a checkpoint, all or those to the channels that are `wanted`, to `names` and `out` as
-- if each had a field of its own, and what they refer to to `level`. A row that cannot be read is added as it is.
local function unpack_row(checkpoint, wanted, names, out, level)
  local row = redis.call('HGET', VALUES, row_of(checkpoint))
  if not row then return end
  local values = {}
  local function add(name, value)
    names[#names + 1] = name
    out[#out + 1] = name
    out[#out + 1] = value
  end
  local whole = each_write(row, function(task, path, index, channel, value)
    if wanted and not wanted[channel] then return end
    add(writes_of(checkpoint) .. task .. '\0' .. index, 'W' .. path .. '\0' .. channel .. '\0' .. value)
    values[#values + 1] = value
  end)
  if not whole then add(row_of(checkpoint), row) end
  for _, name in ipairs(references(values)) do level[#level + 1] = name end
end

local function extend(ttl)
  if ttl > 0 then
    redis.call('EXPIRE', VALUES, ttl)
    redis.call('EXPIRE', INDEX, ttl)
  end
end

-- The thread lives on, and is on the list of threads. A list that is new expires with its last thread;
-- one that also names threads without an end must not.
local function keep(thread_id, ttl)
  extend(ttl)
  local fresh = redis.call('SADD', REGISTRY, thread_id) == 1 and redis.call('SCARD', REGISTRY) == 1
  if ttl == 0 then
    redis.call('PERSIST', REGISTRY)
  elseif fresh then
    redis.call('EXPIRE', REGISTRY, ttl)
  else
    redis.call('EXPIRE', REGISTRY, ttl, 'GT')
  end
end

local function absent(first, last)
  local names = {}
  for i = first, last do
    if redis.call('HEXISTS', VALUES, ARGV[i]) == 0 then
      names[#names + 1] = ARGV[i]
    end
  end
  return names
end
