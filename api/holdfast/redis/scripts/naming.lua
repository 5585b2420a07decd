-- Which of these hashes hold a text, as a list of their places in KEYS.
-- KEYS hash ...
-- ARGV text
local found = {}
for place, key in ipairs(KEYS) do
  for _, value in ipairs(redis.call('HVALS', key)) do
    if string.find(value, ARGV[1], 1, true) then
      found[#found + 1] = place
      break
    end
  end
end
return found
