-- ARGV: token, thread id
local refused = stale(ARGV[1])
if refused then return refused end
redis.call('UNLINK', VALUES, INDEX)
redis.call('SREM', REGISTRY, ARGV[2])
return 1
