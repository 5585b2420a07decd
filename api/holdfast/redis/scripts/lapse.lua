-- Begins anew the time that a thread is kept, if it is at rest: a run that ends does so by itself.
-- KEYS thread, events, all other keys of the thread
-- ARGV ttl_s (0 = never), keep_s (how long its log is kept at most)
local at = redis.call('HMGET', KEYS[1], 'token', 'status')
if at[1] ~= '' or at[2] == 'busy' then return end
lapse(KEYS[1], {unpack(KEYS, 3)}, KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2]))
