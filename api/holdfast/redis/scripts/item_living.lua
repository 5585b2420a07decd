-- KEYS expiry, the items of each namespace
-- ARGV the tenant as names of items begin with it, the namespaces
-- Returns for each namespace whether it holds an item whose time is not up: of the most the first that is looked at is one.
local at = now_us()

local function lives(items, first)
  local cursor = '0'
  repeat
    local found = redis.call('HSCAN', items, cursor, 'COUNT', 1)
    for i = 1, #found[2], 2 do
      if alive(cmsgpack.unpack(found[2][i + 1]), KEYS[1], first .. found[2][i], at) then return 1 end
    end
    cursor = found[1]
  until cursor == '0'
  return 0
end

local living = {}
for i = 2, #KEYS do living[i - 1] = lives(KEYS[i], ARGV[1] .. ARGV[i] .. '\0\0') end
return living
