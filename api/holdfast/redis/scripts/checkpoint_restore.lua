-- Puts a dumped thread in the place of whatever this thread held.
-- ARGV: token, ttl, thread id, values, index
local refused = stale(ARGV[1])
if refused then return refused end
redis.call('RESTORE', VALUES, 0, ARGV[4], 'REPLACE')
redis.call('RESTORE', INDEX, 0, ARGV[5], 'REPLACE')
keep(ARGV[3], tonumber(ARGV[2]))
return 1
