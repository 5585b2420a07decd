-- What webhooks are to be told. A letter is kept beside its thread, as `<id>`, `<id>:attempts` and `<id>:error`, and stands
-- in the lane's outbox by the time (ms) at which it is due, until it was delivered or given up.
local function box_of(first) return {outbox = KEYS[first], letters = KEYS[first + 1]} end

local function clock_ms(later)
  local now = redis.call('TIME')
  return string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000) + later)
end

-- Writes a letter to each address, and wakes those who deliver. `content` is the rest of it: fields of JSON.
local function post(box, thread, thread_id, event_id, kind, addresses, content)
  if #addresses == 0 then return end
  local it = redis.call('HMGET', thread, 'tenant', 'owner')
  local head = '{"type":' .. cjson.encode(kind) .. ',"tenant":' .. cjson.encode(it[1]) ..
    ',"digest":"' .. redis.sha1hex(it[1] .. '\0' .. it[2]) .. '","at_ms":' .. clock_ms(0) .. ',' .. content .. ',"url":'
  for i, address in ipairs(addresses) do
    local id = event_id .. '-' .. i
    redis.call('HSET', box.letters, id, head .. cjson.encode(address) .. '}')
    redis.call('ZADD', box.outbox, clock_ms(0), thread_id .. '\31' .. id)
  end
  redis.call('SPUBLISH', box.outbox, '')
end

-- Tells the run's webhooks that it has ended; `outcome` is JSON. To be called before the run is forgotten.
local function report(box, thread, thread_id, runs, run, status, now_us, outcome)
  local it = redis.call('HMGET', runs, run, run .. ':started_at')
  local addresses = cjson.decode(it[1]).webhooks
  if not addresses then return end
  local content = '"run":{"request":' .. it[1] .. ',"status":"' .. status .. '","started_at":' .. (it[2] or 'null') ..
    ',"ended_at":' .. now_us .. ',"outcome":' .. outcome .. '}'
  post(box, thread, thread_id, run, 'run.ended', addresses, content)
end

-- Tells the targets of the task that a run is part of that it has come to something; each reads for itself how it stands.
local function push(box, thread, thread_id, runs, run)
  local task = cjson.decode(redis.call('HGET', runs, run)).task or run
  for i, target in ipairs(cjson.decode(redis.call('HGET', runs, task .. ':push') or '[]')) do
    post(box, thread, thread_id, run .. '-task' .. i, 'task.updated', {target.url},
      '"push":{"task":' .. cjson.encode(task) .. ',"target":' .. cjson.encode(target.id) .. '}')
  end
end

-- Takes a letter away; returns whether it was there.
local function withdraw(outbox, dead, letters, thread_id, id)
  redis.call('ZREM', outbox, thread_id .. '\31' .. id)
  redis.call('ZREM', dead, thread_id .. '\31' .. id)
  redis.call('HDEL', letters, id .. ':attempts', id .. ':error')
  return redis.call('HDEL', letters, id)
end
