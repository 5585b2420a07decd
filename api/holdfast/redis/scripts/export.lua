-- All that lasts of a thread, as it is at one moment.
-- KEYS thread, runs, checkpoints
local all = {}
for i, key in ipairs(KEYS) do all[i] = redis.call('HGETALL', key) end
return all
