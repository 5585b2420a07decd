-- Gives an assistant another content, if it is still what it was when it was read.
-- KEYS assistant, its versions
-- ARGV revision, mark of the change, updated_at (us), content, version ('' = a new one), how many versions are kept
-- Returns the version, or 0 when somebody has changed it since, or it is gone.
if redis.call('HGET', KEYS[1], 'mark') == ARGV[2] then  -- the reply was lost
  return tonumber(redis.call('HGET', KEYS[1], 'version'))
end
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then return 0 end
local version = tonumber(ARGV[5])
if not version then
  version = redis.call('HINCRBY', KEYS[1], 'newest', 1)
  redis.call('HSET', KEYS[2], version, ARGV[3] .. ' ' .. ARGV[4])
  redis.call('HDEL', KEYS[2], version - tonumber(ARGV[6]))
end
redis.call('HSET', KEYS[1], 'content', ARGV[4], 'updated_at', ARGV[3], 'version', version, 'mark', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'revision', 1)
return version
