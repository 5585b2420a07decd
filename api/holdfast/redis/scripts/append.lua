-- KEYS thread, events, threads of the lane
-- ARGV thread_id, token, from, event ...
local list = {}
for i = 4, #ARGV do list[#list + 1] = ARGV[i] end
return write(KEYS[1], KEYS[2], ARGV[2], tonumber(ARGV[3]), list, {terms = KEYS[3]}, ARGV[1]) or 'ok'
