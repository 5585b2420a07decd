-- Appends a worker's batch. `from` counts the events this claim has written: equal, it is new; already past
-- it, the reply was lost and the batch is there; anything else is a hole.
local function write(thread, events, token, from, list)
  local at = redis.call('HMGET', thread, 'token', 'written')
  if at[1] ~= token then return redis.error_reply('FENCED ' .. (at[1] or '')) end
  local written = tonumber(at[2])
  if written == from then
    if #list > 0 then
      emit(thread, events, list)
      redis.call('HSET', thread, 'written', written + #list)
    end
  elseif written ~= from + #list then
    return redis.error_reply('HOLE ' .. written .. ' ' .. from)
  end
  return nil
end
