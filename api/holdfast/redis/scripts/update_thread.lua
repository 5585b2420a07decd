-- KEYS thread
-- ARGV tenant, owner ('' = anybody in the tenant), idle ('1' = only while no run is active), field, value ...
-- Returns 'ok', 'missing' or 'busy'.
if not visible(KEYS[1], ARGV[1], ARGV[2]) then return 'missing' end
if ARGV[3] == '1' and redis.call('HGET', KEYS[1], 'status') == 'busy' then return 'busy' end
set(KEYS[1], ARGV, 4)
return 'ok'
