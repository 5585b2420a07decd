-- Brings a thread's record in step with a state that was written from outside a run, and tells those who read its log.
-- KEYS what lapses of a thread, the index, timers
-- ARGV thread_id, tenant, owner ('' = anybody in the tenant), mark (one a write: a repeated call finds its own), seq (of the log
--      when the state was read), status, interrupts, now_us, ttl_s, keep_s, the new state, how the thread stands (both
--      data of events)
-- Returns 'ok', 'missing', 'held' (by a run, which tells the state itself) or 'moved' (the state may be another by now).
local lapsing = lapsing_of(1)
local thread, events = lapsing.thread, lapsing.events
local now_us = ARGV[8]
if not visible(thread, ARGV[2], ARGV[3]) then return 'missing' end
local at = redis.call('HMGET', thread, 'noted', 'token', 'seq', 'status')
if at[1] == ARGV[4] then return 'ok' end  -- the reply was lost
if at[2] ~= '' then return 'held' end
if at[3] ~= ARGV[5] then return 'moved' end

local busy = at[4] == 'busy'  -- a run in line will begin with this state
local list = {event('', 'state_update', '', now_us, ARGV[11])}
if not busy and (ARGV[6] == 'interrupted' or at[4] == 'interrupted' or rest(thread) == 'interrupted') then
  list[2] = event('', 'standing', '', now_us, ARGV[12])
end
emit(thread, events, list)
redis.call('HSET', thread, 'status', busy and 'busy' or ARGV[6], 'interrupts', ARGV[7], 'error', '', 'noted', ARGV[4],
  'updated_at', now_us, 'state_updated_at', now_us)
if not busy then lapse(lapsing, KEYS[12], ARGV[1], tonumber(ARGV[9]), tonumber(ARGV[10])) end
index_state(index_of(8), thread, ARGV[1])
return 'ok'
