-- Changes who has a thread, where that is still what the caller has seen of it, and tells those who read its log.
-- KEYS what lapses of a thread, its queue, the tenant's statistics, the index, timers
-- ARGV thread_id, tenant, owner ('' = anybody in the tenant), mark (one a change: a repeated call finds its own), old, new ('' =
--      nobody), handback ('' = none), data of the event, now_us, ttl_s, keep_s
-- Returns 'ok', 'missing' or 'changed'.
local lapsing, queue = lapsing_of(1), KEYS[8]
local thread, events = lapsing.thread, lapsing.events
local mark, old, new, handback, data, now_us = unpack(ARGV, 4, 9)
if not visible(thread, ARGV[2], ARGV[3]) then return 'missing' end
local at = redis.call('HMGET', thread, 'hold_mark', 'hold', 'status')
if at[1] == mark then return 'ok' end  -- the reply was lost
if (at[2] or '') ~= old then return 'changed' end

emit(thread, events, {event('', 'hold', '', now_us, data)})
if old == '' then tally_handoff(KEYS[9], thread) end
redis.call('HSET', thread, 'hold', new, 'hold_mark', mark, 'updated_at', now_us)
if handback ~= '' then
  local past = table.concat(redis.call('LRANGE', queue, 0, -1), ' ')  -- put in line while a person had the thread
  redis.call('HSET', thread, 'handback', handback, 'handback_past', past)
  redis.call('HDEL', thread, 'handback_run')
end
if at[3] ~= 'busy' then
  lapse(lapsing, KEYS[14], ARGV[1], tonumber(ARGV[10]), tonumber(ARGV[11]))
end
local index = index_of(10)
index_hold(index, thread, ARGV[1])
index_state(index, thread, ARGV[1])
return 'ok'
