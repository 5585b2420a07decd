-- Stores writes of a task at a checkpoint: the first one under an idx stays, but a special one (error, interrupt,
-- resume) takes the place of the earlier one. They go into the row of the checkpoint as far as there is room; each
-- beyond that gets a field of its own, which the index names.
-- ARGV: token, ttl, thread id, n, n names expected to be here, m, m times (name, element),
--       name of the checkpoint, task, path, then (idx, channel, value, '1' to replace or '0')...
-- Reply: the names that are missing; then nothing was stored.
local ROOM = 2048 -- bytes, because a row is written anew with each task

local refused = stale(ARGV[1])
if refused then return refused end
local elements = 5 + tonumber(ARGV[4])
local missing = absent(5, elements - 1)
if #missing > 0 then return missing end

local place = elements + 1 + 2 * tonumber(ARGV[elements])
for at = elements + 1, place - 1, 2 do
  redis.call('HSET', VALUES, ARGV[at], ARGV[at + 1])
end

local checkpoint, task, path = ARGV[place], ARGV[place + 1], ARGV[place + 2]
local stored, fresh = redis.call('HGET', VALUES, row_of(checkpoint)) or 'P', {}
local row = stored
local room = ROOM - #row - #task - #path - 8 -- the two ends and the number of a group

local function pack(of, via, writes)
  return of .. '\0' .. via .. '\0' .. #writes .. '\0' .. table.concat(writes)
end

-- The row without the write of this task under an idx; nothing where it has none.
local function without(index)
  if not string.find(row, task .. '\0', 1, true) then return end
  local groups, found = {}, false
  each_write(row, function(of, via, at, _, _, first, last)
    if of == task and at == index then
      found = true
      return
    end
    local group = groups[#groups]
    if not group or group.of ~= of or group.via ~= via then
      group = {of = of, via = via}
      groups[#groups + 1] = group
    end
    group[#group + 1] = string.sub(row, first, last)
  end)
  if not found then return end
  local out = {'P'}
  for _, group in ipairs(groups) do out[#out + 1] = pack(group.of, group.via, group) end
  return table.concat(out)
end

for at = place + 3, #ARGV, 4 do
  local index, channel, value, replaces = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3] == '1'
  local write = index .. '\0' .. channel .. '\0' .. #value .. '\0' .. value
  local own = writes_of(checkpoint) .. task .. '\0' .. index
  local rest = without(index)
  if rest and replaces then
    room = room + #row - #rest
    row = rest
  end
  if replaces or not rest then
    if #write <= room and redis.call('HEXISTS', VALUES, own) == 0 then
      fresh[#fresh + 1] = write
      room = room - #write
    else
      redis.call(replaces and 'HSET' or 'HSETNX', VALUES, own, 'W' .. path .. '\0' .. channel .. '\0' .. value)
      redis.call('ZADD', INDEX, 0, own)
    end
  end
end
if #fresh > 0 then row = row .. pack(task, path, fresh) end
if row ~= stored then redis.call('HSET', VALUES, row_of(checkpoint), row) end
keep(ARGV[3], tonumber(ARGV[2]))
return missing
