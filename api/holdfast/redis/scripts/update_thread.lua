-- KEYS thread
-- ARGV tenant, owner ('' = anybody in the tenant), field, value ...
-- Returns 'ok' or 'missing'.
if not visible(KEYS[1], ARGV[1], ARGV[2]) then return 'missing' end
set(KEYS[1], ARGV, 3)
return 'ok'
