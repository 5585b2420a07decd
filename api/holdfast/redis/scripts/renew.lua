-- KEYS thread, runs, ready
-- ARGV token, entry, worker, run_id, the node that it is at ('' = none yet)
-- Returns 'lost', 'held', or the action with which the run is to be cancelled.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 'lost' end
redis.call('XCLAIM', KEYS[3], 'workers', ARGV[3], 0, ARGV[2], 'IDLE', 0, 'JUSTID')
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], ARGV[4] .. ':node', ARGV[5]) end
return redis.call('HGET', KEYS[2], ARGV[4] .. ':cancel') or 'held'
