-- The fields of a thread whose value holds a text: {name, value, name, value ...}.
-- ARGV text
local found, out = redis.call('HGETALL', VALUES), {}
for i = 1, #found, 2 do
  if string.find(found[i + 1], ARGV[1], 1, true) then
    out[#out + 1] = found[i]
    out[#out + 1] = found[i + 1]
  end
end
return out
