-- KEYS assistant, its versions, assistants of the owner, assistants of the tenant
-- ARGV assistant_id, created_at (us), most assistants of the tenant, content, field, value ...
-- Returns 'ok', 'taken' (there is one of this id, whoever has it) or 'full'.
local made = redis.call('HGET', KEYS[1], 'created_at')
if made then return made == ARGV[2] and 'ok' or 'taken' end  -- ok: the reply was lost
if redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[3]) then return 'full' end
set(KEYS[1], ARGV, 5)
-- The revision begins with the time: that of one which had the same id before is none of this one's.
redis.call('HSET', KEYS[1], 'content', ARGV[4], 'created_at', ARGV[2], 'updated_at', ARGV[2], 'version', 1, 'newest', 1,
  'revision', ARGV[2])
redis.call('HSET', KEYS[2], 1, ARGV[2] .. ' ' .. ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
return 'ok'
