-- KEYS thread, events
-- ARGV token, from, event ...
local list = {}
for i = 3, #ARGV do list[#list + 1] = ARGV[i] end
return write(KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), list) or 'ok'
