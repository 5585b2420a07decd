-- Walks from a checkpoint to its ancestors and collects, for each channel, the writes on the way up to the
-- nearest ancestor that holds the channel's value.
-- ARGV: ns, checkpoint id or '' for the newest, channel...
-- Reply: {steps, {name, value, ...}}, nearest ancestor first,
--        a step = {names of writes, names of values, channels whose value is null}
local ns, id, open, left = ARGV[1], ARGV[2], {}, 0
for i = 3, #ARGV do
  open[ARGV[i]] = true
  left = left + 1
end
local function close(channel)
  if not open[channel] then return false end
  open[channel] = nil
  left = left - 1
  return true
end
local function checkpoint(of) return 'c\0' .. ns .. '\0' .. of end

if id == '' then
  local newest = redis.call('ZREVRANGEBYLEX', INDEX, '(' .. checkpoint('\255'), '[' .. checkpoint(''), 'LIMIT', 0, 1)
  if #newest == 0 then return {{}, {}} end
  id = string.sub(newest[1], #checkpoint('') + 1)
end

local steps, level, out, seen = {}, {}, {}, {}
local bytes = redis.call('HGET', VALUES, checkpoint(id))
while bytes and left > 0 do
  id = envelope(bytes).parent
  bytes = id ~= '' and redis.call('HGET', VALUES, checkpoint(id))
  if bytes then
    local writes, values, nulls, found = {}, {}, {}, envelope(bytes)
    for _, name in ipairs(members(writes_of(checkpoint(id)))) do
      local write = redis.call('HGET', VALUES, name)
      if write and open[string.match(write, '^W[^%z]*%z([^%z]*)%z')] then
        writes[#writes + 1] = name
        level[#level + 1] = name
      end
    end
    unpack_row(checkpoint(id), open, writes, out, level)
    for _, name in ipairs(found.names) do
      if close(string.match(name, '^b%z[^%z]*%z([^%z]*)%z')) then
        values[#values + 1] = name
        level[#level + 1] = name
      end
    end
    for _, channel in ipairs(found.nulls) do
      if close(channel) then nulls[#nulls + 1] = channel end
    end
    steps[#steps + 1] = {writes, values, nulls}
  end
end
fetch_whole(level, out, seen)
return {steps, out}
