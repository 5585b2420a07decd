-- KEYS cron, crons of the owner, crons of the tenant, timers; for the cron of a thread also: what lapses of it, and threads of the
--      lane that expire
-- ARGV cron_id, timer, ttl_s ('' = the thread is about to go), keep_s and id of the thread
-- Returns 1, or 0 when there is none.
local gone = redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[2])
local thread = KEYS[5]
if not thread or redis.call('EXISTS', thread) == 0 then return gone end
local left = {}
for id in string.gmatch(redis.call('HGET', thread, 'crons') or '', '%S+') do
  if id ~= ARGV[1] then left[#left + 1] = id end
end
redis.call('HSET', thread, 'crons', table.concat(left, ' '))
if ARGV[3] ~= '' and redis.call('HGET', thread, 'status') ~= 'busy' then
  lapse(lapsing_of(5), KEYS[4], ARGV[5], tonumber(ARGV[3]), tonumber(ARGV[4]))
  index_expiry({expiry = KEYS[12]}, thread, ARGV[5])
end
return gone
