-- Keeps a request that is known from its thread only: of a thread that was copied or imported while it waited.
-- KEYS thread, approvals, threads of the lane that expire
-- ARGV thread_id, now_us, what is asked (JSON, see `redis.approvals.Asked`)
local approvals, asked = approvals_of(2), cjson.decode(ARGV[3])
if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HEXISTS', approvals.hash, asked.request) == 0 then
  ask(approvals, KEYS[1], ARGV[1], asked, ARGV[2])
  expire({KEYS[1], approvals.hash}, 0)
  index_expiry({expiry = KEYS[#KEYS]}, KEYS[1], ARGV[1])
end
return 1
