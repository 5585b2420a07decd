-- A graph asks for a person by an event of the thread's own. That counts where none is asked for yet; elsewhere there
-- is nothing to be told. Returns the events that are left, and the fields of the record with their values.
local function ask_person(thread, list)
  local told, asked = {}, {}
  for _, text in ipairs(list) do
    if string.sub(text, 1, 6) ~= '\31hold\31' then
      told[#told + 1] = text
    elseif #asked == 0 and (redis.call('HGET', thread, 'hold') or '') == '' then
      asked = {'hold', string.match(text, '{"hold":(.+)}$'), 'handed', '1'}  -- counted when the run ends
      told[#told + 1] = text
    end
  end
  return told, asked
end

-- Appends a worker's batch. `from` counts the events this claim has written: equal, it is new; already past
-- it, the reply was lost and the batch is there; anything else is a hole.
local function write(thread, events, token, from, list, index, thread_id)
  local at = redis.call('HMGET', thread, 'token', 'written')
  if at[1] ~= token then return redis.error_reply('FENCED ' .. (at[1] or '')) end
  local written = tonumber(at[2])
  if written == from then
    if #list > 0 then
      local told, asked = ask_person(thread, list)
      if #told > 0 then emit(thread, events, told) end
      redis.call('HSET', thread, 'written', written + #list, unpack(asked))
      if #asked > 0 then index_hold(index, thread, thread_id) end
    end
  elseif written ~= from + #list then
    return redis.error_reply('HOLE ' .. written .. ' ' .. from)
  end
  return nil
end
