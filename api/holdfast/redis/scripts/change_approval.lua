-- Changes a request that waits, if it is still what the caller has read.
-- KEYS thread, approvals
-- ARGV thread_id, request_id, revision, mark (one a change: a repeated call finds its own), now_us, act (JSON),
--      due, wake (both ms; '' = never), field, value ... ('' = the field goes)
-- Returns 1, or 0 when it is another by now, or waits no more: then nothing was changed.
local thread_id, request, revision, sign, now_us = unpack(ARGV, 1, 5)
local approvals = approvals_of(2)
local known = redis.call('HMGET', approvals.hash, request .. ':status', request .. ':revision', request .. ':mark')
if known[3] == sign then return 1 end  -- the reply was lost
if known[1] ~= 'open' or known[2] ~= revision then return 0 end
local before = roles_of(approvals, request)
for i = 9, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', approvals.hash, request .. ARGV[i])
  else
    redis.call('HSET', approvals.hash, request .. ARGV[i], ARGV[i + 1])
  end
end
redis.call('HSET', approvals.hash, request .. ':mark', sign)
await_clock(approvals, thread_id, request, ARGV[7], ARGV[8])
note(approvals, thread_id, request, cjson.decode(ARGV[6]), now_us, before)
return 1
