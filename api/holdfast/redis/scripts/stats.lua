-- What happened, counted: a hash for each tenant and UTC day, whose key ends with the day.
local STATS_S = 35 * 24 * 3600

local function tally(stats, field, change)
  if redis.call('HINCRBY', stats, field, change or 1) == 1 then redis.call('EXPIRE', stats, STATS_S, 'NX') end
end

-- Counts a thread under a name, once a day.
local function tally_thread(stats, thread, name)
  local day = string.sub(stats, -10)
  if redis.call('HGET', thread, 'counted:' .. name) == day then return end
  redis.call('HSET', thread, 'counted:' .. name, day)
  tally(stats, name)
end

-- Counts a time under the bound it lies in; the bounds grow by a tenth.
local function tally_time(stats, name, ms)
  tally(stats, name .. ':' .. math.floor(math.log(math.max(ms, 1)) / math.log(1.1)))
end

-- That a person was asked for, or took the thread over; it is then one of those that were used that day.
local function tally_handoff(stats, thread)
  tally_thread(stats, thread, 'threads')
  tally_thread(stats, thread, 'handoffs')
end
