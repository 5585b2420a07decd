-- Brings the index in step with a thread as it is, also when it is gone.
-- KEYS thread, the index
-- ARGV thread_id
local index = index_of(2)
if redis.call('EXISTS', KEYS[1]) == 1 then
  index_thread(index, KEYS[1], ARGV[1])
else
  unindex(index, ARGV[1])
end
return 1
