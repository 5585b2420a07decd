-- Adds an entry to the lane's audit trail, which is only ever added to: `fields` is a list of names and values, all
-- of them text. The link of an entry is the digest of the link before it and of its own text, so that nothing in the
-- middle can be changed, taken out or put in without being found.
local function audit(trail, fields)
  local last = redis.call('XREVRANGE', trail, '+', '-', 'COUNT', 1)[1]
  local seq, link = 1, ''
  if last then seq, link = string.match(last[1], '^%d+') + 1, last[2][4] end
  local parts = {string.format('"seq":%.0f', seq)}
  for i = 1, #fields, 2 do
    parts[#parts + 1] = cjson.encode(fields[i]) .. ':' .. cjson.encode(fields[i + 1])
  end
  local text = '{' .. table.concat(parts, ',') .. '}'
  redis.call('XADD', trail, string.format('%.0f-0', seq), 'text', text, 'link', sha256(link .. text))
end
