-- KEYS thread, outbox, letters
-- ARGV thread_id, event id, type of the event, addresses (JSON), content (fields of JSON)
-- Returns 0 when there is no such thread.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
post(box_of(2), KEYS[1], ARGV[1], ARGV[2], ARGV[3], cjson.decode(ARGV[4]), ARGV[5])
return 1
