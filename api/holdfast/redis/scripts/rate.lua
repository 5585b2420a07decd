-- Sets a thread's rating, and counts it in the place of the one before.
-- KEYS thread, statistics of today, statistics of the day of the rating before, the index
-- ARGV thread_id, tenant, owner, the rating before ('' = none), the rating: each <score> <day> <mark>, what the metadata shows, now_us
-- Returns 'ok', 'missing' or 'changed' when the rating before is another by now.
local thread, stats, past = unpack(KEYS)
local old, new = ARGV[4], ARGV[5]
if not visible(thread, ARGV[2], ARGV[3]) then return 'missing' end
local known = redis.call('HGET', thread, 'rated') or ''
if known == new then return 'ok' end  -- the reply was lost
if known ~= old then return 'changed' end
if old ~= '' and redis.call('EXISTS', past) == 1 then tally(past, 'rating:' .. string.match(old, '^%d'), -1) end
tally(stats, 'rating:' .. string.match(new, '^%d'))
redis.call('HSET', thread, 'rated', new, 'm:rating', ARGV[6], 'updated_at', ARGV[7])
index_thread(index_of(4), thread, ARGV[1])
return 'ok'
