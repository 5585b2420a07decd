-- Takes a token out of each bucket, or out of none. What is kept of a bucket is when it will be full again, and only
-- until then.
-- KEYS bucket ...
-- ARGV of each bucket: how long a token takes to come back, how long all of them take (us)
-- Returns {0, 0}, or {number of the bucket that lacks a token for longest, how long (us)}.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local full, lacking, wait = {}, 0, 0
for i, key in ipairs(KEYS) do
  local token, all = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  -- No bucket is emptier than empty, also after the clock was set back or the bucket made smaller.
  local before = math.min(math.max(tonumber(redis.call('GET', key) or 0), now), now + all)
  full[i] = before + token
  local lack = full[i] - now - all
  if lack > wait then lacking, wait = i, lack end
end
if lacking > 0 then return {lacking, math.ceil(wait)} end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', full[i]), 'PX', math.ceil((full[i] - now) / 1000))
end
return {0, 0}
