-- Removes checkpoints of a thread, their writes, and the values that nothing refers to any more.
-- In one script, because a checkpoint put between looking and deleting could refer to what is deleted.
-- ARGV: token, thread id, 'runs', run id...    the checkpoints of these runs
--   or: token, thread id, 'older'              all but the newest one of each namespace
-- Reply: the number of checkpoints removed, or -1 when a thread with delta channels needs them.
local refused = stale(ARGV[1])
if refused then return refused end

local checkpoints, newest, runs = members('c\0'), {}, {}
for _, name in ipairs(checkpoints) do
  newest[string.match(name, '^c%z([^%z]*)%z')] = name -- they come in order: the last one wins
end
for i = 4, #ARGV do runs[ARGV[i]] = true end
local function dropped(name, found)
  if ARGV[3] == 'older' then return newest[string.match(name, '^c%z([^%z]*)%z')] ~= name end
  return runs[found.run] ~= nil
end

local gone, lost, stay = {}, {}, {}
for _, name in ipairs(checkpoints) do
  local bytes = redis.call('HGET', VALUES, name)
  local found = bytes and envelope(bytes)
  if not found or dropped(name, found) then
    gone[#gone + 1] = name
    lost[name] = true
  else
    stay[name] = found
  end
end
if #gone == 0 then return 0 end

local level, out, live = {}, {}, {}
for name, found in pairs(stay) do
  local parent = string.match(name, '^(c%z[^%z]*%z)') .. found.parent
  if found.kind == 'delta' and lost[parent] then return -1 end
  live[name] = true
  for _, held in ipairs(found.names) do level[#level + 1] = held end
end
local removed = #gone
for _, name in ipairs(checkpoints) do
  if lost[name] then
    for _, write in ipairs(members(writes_of(name))) do
      gone[#gone + 1] = write
      lost[write] = true
    end
  end
end
for _, write in ipairs(members('w\0')) do
  if not lost[write] then level[#level + 1] = write end
end
local fields = redis.call('HKEYS', VALUES)
for _, name in ipairs(fields) do -- a row may be there before its checkpoint
  if string.sub(name, 1, 2) == 'p\0' and not lost['c' .. string.sub(name, 2)] then level[#level + 1] = name end
end
fetch_whole(level, out, live)

local garbage = {}
for _, name in ipairs(fields) do
  if not live[name] then garbage[#garbage + 1] = name end
end
batches(garbage, function(...) redis.call('HDEL', VALUES, ...) end)
batches(gone, function(...) redis.call('ZREM', INDEX, ...) end)
if redis.call('EXISTS', INDEX) == 0 then redis.call('SREM', REGISTRY, ARGV[2]) end
return removed
