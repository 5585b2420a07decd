-- KEYS cron, crons of the owner, crons of the tenant, timers; for the cron of a thread also: what lapses of it, and threads of the
--      lane that expire
-- ARGV cron_id, created_at (us), timer, due (ms, '' = nothing is to come), most crons of the tenant, tenant, owner and id
--      of the thread, field, value ...
-- Returns 'ok', 'taken' (there is one of this id), 'full' or 'missing' (the thread).
local cron, thread = KEYS[1], KEYS[5]
local made = redis.call('HGET', cron, 'created_at')
if made then return made == ARGV[2] and 'ok' or 'taken' end  -- ok: the reply was lost
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return 'full' end
if thread then
  if not visible(thread, ARGV[6], ARGV[7]) then return 'missing' end
  local others = redis.call('HGET', thread, 'crons') or ''
  redis.call('HSET', thread, 'crons', others == '' and ARGV[1] or others .. ' ' .. ARGV[1])
  expire({unpack(KEYS, 5, 11)}, 0)
  index_expiry({expiry = KEYS[12]}, thread, ARGV[8])
end
set(cron, ARGV, 9)
redis.call('HSET', cron, 'created_at', ARGV[2], 'revision', 0, 'due', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
set_timer(KEYS[4], ARGV[3], ARGV[4])
return 'ok'
