-- What stands in a lane, whosever it is.
-- KEYS ready, waiting, queued, outbox, dead, asked
-- ARGV ages of requests (s), the youngest first
-- Returns {runs that wait for a worker, ms that the first of them has, the thread that waits for a place in `ready` the
-- longest ('' = none), runs that workers have, runs that have not ended, letters, dead letters, now (ms), requests younger
-- than each age ..., all requests}.
local ready, waiting = KEYS[1], KEYS[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local held, delivered = 0, '-'
local groups = redis.pcall('XINFO', 'GROUPS', ready)
for _, group in ipairs(groups.err and {} or groups) do
  for i = 1, #group, 2 do
    if group[i] == 'pending' then held = group[i + 1] end
    if group[i] == 'last-delivered-id' then delivered = '(' .. group[i + 1] end
  end
end
local first = redis.call('XRANGE', ready, delivered, '+', 'COUNT', 1)[1]
local since = first and math.max(0, now - tonumber(string.match(first[1], '^%d+'))) or 0
local depth = redis.call('XLEN', ready) - held + redis.call('ZCARD', waiting)
local found = {depth, since, redis.call('ZRANGE', waiting, 0, 0)[1] or '', held,
  tonumber(redis.call('HGET', KEYS[3], '') or 0), redis.call('ZCARD', KEYS[4]), redis.call('ZCARD', KEYS[5]), now}
for _, age in ipairs(ARGV) do
  found[#found + 1] = redis.call('ZCOUNT', KEYS[6], string.format('(%.0f', (now - age * 1000) * 1000), '+inf')
end
found[#found + 1] = redis.call('ZCARD', KEYS[6])
return found
