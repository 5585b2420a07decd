-- Writes down that somebody has looked at a request, the first time.
-- KEYS thread, approvals
-- ARGV thread_id, request_id, now_us, act (JSON)
local approvals = approvals_of(2)
local thread_id, request, now_us = unpack(ARGV, 1, 3)
local act = cjson.decode(ARGV[4])
if redis.call('HEXISTS', approvals.hash, request) == 0 then return 0 end
local seen = redis.call('HGET', approvals.hash, request .. ':seen') or ''
if string.find(seen, act.actor, 1, true) then return 0 end
redis.call('HSET', approvals.hash, request .. ':seen', seen .. act.actor .. ' ')
record(approvals, thread_id, request, act, now_us)
return 1
