-- KEYS thread, the index
-- ARGV thread_id, tenant, owner ('' = anybody in the tenant), field, value ...
-- Returns 'ok' or 'missing'.
if not visible(KEYS[1], ARGV[2], ARGV[3]) then return 'missing' end
set(KEYS[1], ARGV, 4)
index_thread(index_of(2), KEYS[1], ARGV[1])
return 'ok'
