-- Counts the tokens that a run has used of models toward the day (UTC) of the caller who asked for it.
-- KEYS thread, runs, tokens of the caller
-- ARGV token, run_id, task, tokens that it has used so far, task, tokens ...
-- What is kept of a task, until its run ends, is the most that an attempt at it has used: so a task that runs again after
-- its worker died counts once, as does a repeated call.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return redis.error_reply('FENCED') end
local field = ARGV[2] .. ':tokens'
local used, more = cjson.decode(redis.call('HGET', KEYS[2], field) or '{}'), 0
for i = 3, #ARGV, 2 do
  local before = used[ARGV[i]] or 0
  used[ARGV[i]] = math.max(before, tonumber(ARGV[i + 1]))
  more = more + used[ARGV[i]] - before
end
if more > 0 then
  redis.call('HSET', KEYS[2], field, cjson.encode(used))
  redis.call('INCRBY', KEYS[3], string.format('%.0f', more))
  redis.call('EXPIREAT', KEYS[3], (math.floor(redis.call('TIME')[1] / 86400) + 1) * 86400)
end
return 'ok'
