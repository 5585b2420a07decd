-- KEYS thread
-- ARGV tenant, owner ('' = anybody in the tenant), idle ('1' = only while no run is active), field, value ...
-- Returns 'ok', 'missing' or 'busy'.
if not visible(KEYS[1], ARGV[1], ARGV[2]) then return 'missing' end
if ARGV[3] == '1' and redis.call('HGET', KEYS[1], 'status') == 'busy' then return 'busy' end
if #ARGV > 3 then redis.call('HSET', KEYS[1], unpack(ARGV, 4)) end
return 'ok'
