-- Takes consumers that hold no entry out of the group: one that holds some would lose them.
-- KEYS ready
-- ARGV name of one consumer ('' = all), shortest time since it was last seen (ms, by the server's clock)
-- Returns how many were taken out.
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], 'workers')
if consumers.err then return 0 end  -- no group, nobody in it
local count = 0
for _, fields in ipairs(consumers) do
  local it = {}
  for i = 1, #fields, 2 do it[fields[i]] = fields[i + 1] end
  if (ARGV[1] == '' or it.name == ARGV[1]) and it.pending == 0 and it.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'workers', it.name)
    count = count + 1
  end
end
return count
