-- Sets a thread's rating, and counts it in the place of the one before.
-- KEYS thread, statistics of today, statistics of the day of the rating before
-- ARGV tenant, owner, the rating before ('' = none), the rating: each <score> <day> <mark>, what the metadata shows, now_us
-- Returns 'ok', 'missing' or 'changed' when the rating before is another by now.
local thread, stats, past = unpack(KEYS)
local old, new = ARGV[3], ARGV[4]
if not visible(thread, ARGV[1], ARGV[2]) then return 'missing' end
local known = redis.call('HGET', thread, 'rated') or ''
if known == new then return 'ok' end  -- the reply was lost
if known ~= old then return 'changed' end
if old ~= '' and redis.call('EXISTS', past) == 1 then tally(past, 'rating:' .. string.match(old, '^%d'), -1) end
tally(stats, 'rating:' .. string.match(new, '^%d'))
redis.call('HSET', thread, 'rated', new, 'm:rating', ARGV[5], 'updated_at', ARGV[6])
return 'ok'
