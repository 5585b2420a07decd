-- Sets how long a thread is kept, from now on if it is at rest: a run that ends begins it by itself.
-- KEYS what lapses of a thread, the index, timers
-- ARGV thread_id, ttl_s, ttl_s as things are (0 = never), keep_s (how long its log is kept at most)
redis.call('HSET', KEYS[1], 'ttl_s', ARGV[2])
local at = redis.call('HMGET', KEYS[1], 'token', 'status')
if at[1] ~= '' or at[2] == 'busy' then return end
lapse(lapsing_of(1), KEYS[12], ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]))
index_expiry(index_of(8), KEYS[1], ARGV[1])
