-- Loads checkpoints with everything they hold, a shared element once.
-- ARGV: ttl, 'names', name...                    the named ones
--   or: ttl, 'newest', ns, before or '', limit   the newest of a namespace, newest first
-- Reply: {names, names of the writes of each, {name, value, name, value...}, what the fence held}
local names, writes, out, seen, level = {}, {}, {}, {}, {}
if ARGV[2] == 'newest' then
  local prefix = 'c\0' .. ARGV[3] .. '\0'
  local top = ARGV[4] == '' and prefix .. '\255' or prefix .. ARGV[4]
  names = redis.call('ZREVRANGEBYLEX', INDEX, '(' .. top, '[' .. prefix, 'LIMIT', 0, ARGV[5])
else
  for i = 3, #ARGV do names[#names + 1] = ARGV[i] end
end
local token = redis.call('HGET', FENCE, 'token') or ''
if #names == 0 then return {{}, {}, {}, token} end
extend(tonumber(ARGV[1]))

for _, bytes in ipairs(fetch(names, out, seen)) do
  for _, name in ipairs(envelope(bytes).names) do level[#level + 1] = name end
end
for i, checkpoint in ipairs(names) do
  writes[i] = members(writes_of(checkpoint))
  for _, name in ipairs(writes[i]) do level[#level + 1] = name end
  unpack_row(checkpoint, nil, writes[i], out, level)
end
fetch_whole(level, out, seen)
return {names, writes, out, token}
