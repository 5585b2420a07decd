-- KEYS thread, threads of the owner, threads of the tenant, registry, cancels, queue, and all other keys of the thread
-- ARGV thread_id
-- A worker that still runs the thread finds its token gone: none of its writes is accepted any more.
local run = redis.call('LINDEX', KEYS[6], 0)
if run then redis.call('SPUBLISH', KEYS[5], run .. '\31interrupt') end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('SREM', KEYS[4], ARGV[1])
local gone = redis.call('DEL', KEYS[1])
for i = 6, #KEYS do redis.call('DEL', KEYS[i]) end
return gone
