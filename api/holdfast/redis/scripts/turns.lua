-- KEYS ready
-- ARGV first entry, last entry, how many at most
-- Returns of each entry: its id, its thread, the worker that holds it ('' = none), ms since it was heard of.
local entries, told, held = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3]), {}, {}
if #entries == 0 then return told end
local pending = redis.pcall('XPENDING', KEYS[1], 'workers', entries[1][1], entries[#entries][1], ARGV[3])
for _, one in ipairs(pending.err and {} or pending) do held[one[1]] = one end  -- no group: no worker was there yet
for _, entry in ipairs(entries) do
  local one = held[entry[1]] or {'', '', 0}
  told[#told + 1] = {entry[1], entry[2][2], one[2], one[3]}
end
return told
