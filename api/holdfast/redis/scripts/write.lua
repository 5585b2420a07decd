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

-- Appends a worker's batch. `from` counts the events that this claim has written before it, as far as it knows: where
-- it has written more, replies were lost or are under way, and so much of the batch is there. Less is a hole.
local function write(thread, events, token, from, list, index, thread_id)
  local at = redis.call('HMGET', thread, 'token', 'written')
  if at[1] ~= token then return redis.error_reply('FENCED ' .. (at[1] or '')) end
  local there = tonumber(at[2]) - from
  if there < 0 or there > #list then return redis.error_reply('HOLE ' .. at[2] .. ' ' .. from) end
  if there == #list then return nil end
  local fresh = {}
  for i = there + 1, #list do fresh[#fresh + 1] = list[i] end
  local told, asked = ask_person(thread, fresh)
  if #told > 0 then emit(thread, events, told) end
  redis.call('HSET', thread, 'written', from + #list, unpack(asked))
  if #asked > 0 then index_hold(index, thread, thread_id) end
  return nil
end
