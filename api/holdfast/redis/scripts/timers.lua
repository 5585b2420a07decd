-- Sets a timer, or takes it off where no time (ms) is given.
local function set_timer(timers, member, due)
  if due == '' then redis.call('ZREM', timers, member) else redis.call('ZADD', timers, due, member) end
end
