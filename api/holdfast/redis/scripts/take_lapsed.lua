-- Takes threads out of the index that have expired.
-- KEYS the index but for its order of updates, a thread of each id
-- ARGV id ...
-- Returns how many were taken out.
local index, gone = {terms = KEYS[1], kept = KEYS[2], expiry = KEYS[3]}, 0
for i, thread_id in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[3 + i]) == 0 then
    unindex(index, thread_id)
    gone = gone + 1
  end
end
return gone
