-- Puts a dumped thread in the place of whatever this thread held.
-- ARGV: token, ttl, thread id, values, index or ''
local refused = stale(ARGV[1])
if refused then return refused end
redis.call('RESTORE', VALUES, 0, ARGV[4], 'REPLACE')
if ARGV[5] == '' then redis.call('UNLINK', INDEX) else redis.call('RESTORE', INDEX, 0, ARGV[5], 'REPLACE') end
keep(ARGV[3], tonumber(ARGV[2]))
return 1
