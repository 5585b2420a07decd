-- The names of all checkpoints of a thread; a thread that has expired is taken off the list of threads.
-- ARGV: thread id
local names = redis.call('ZRANGEBYLEX', INDEX, '[c', '(d')
if redis.call('EXISTS', INDEX) == 0 then redis.call('SREM', REGISTRY, ARGV[1]) end
return names
