-- KEYS runs, order
-- ARGV run_id
-- Returns 'missing', 'active' or 'ok'.
local status = redis.call('HGET', KEYS[1], ARGV[1] .. ':status')
if not status then return 'missing' end
if status == 'pending' or status == 'running' then return 'active' end
forget_run(KEYS[1], KEYS[2], ARGV[1])
return 'ok'
