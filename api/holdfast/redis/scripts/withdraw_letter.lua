-- KEYS outbox, dead, letters
-- ARGV thread_id, letter, '' or 'dead' (only if it was given up)
-- Returns whether it was there.
if ARGV[3] == 'dead' and not redis.call('ZSCORE', KEYS[2], ARGV[1] .. '\31' .. ARGV[2]) then return 0 end
return withdraw(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2])
