-- The lane's index of threads. For each thing that a search may ask for, a thread has a member in `terms`, once under its
-- tenant and once under its owner: <scope><term> <created_at> <thread_id>. All scores are 0, so the threads of a term
-- are one range in order of creation. A term is '' (every thread), a status, who has the thread, or the digest of one
-- value of its metadata and of the path to it, as `redis/terms.py` makes it of what is asked for.
-- `kept` says which members a thread has: its record may have expired when they are to go.
local STATUSES = {'busy', 'error', 'idle', 'interrupted'}
local HOLDS = {'asked', 'held', 'taken'}
local WIDE = 'wide'  -- of so many values that none is a term: a search reads the record
local MOST = 64

local function index_of(first)
  return {terms = KEYS[first], kept = KEYS[first + 1], expiry = KEYS[first + 2], updates = KEYS[first + 3]}
end

local function scope_of(tenant, owner) return string.sub(digest_of(tenant, owner), 1, 20) end

-- Where a thread stands in the index, whatever the term.
local function place_of(tenant, owner, created_at, thread_id)
  local sortable = string.rep('0', 16 - #created_at) .. created_at .. ' ' .. thread_id
  return {scopes = {scope_of(tenant, ''), scope_of(tenant, owner)}, tail = sortable}
end

local function put_in(index, place, terms)
  local list = {}
  for _, scope in ipairs(place.scopes) do
    for _, term in ipairs(terms) do
      list[#list + 1] = 0
      list[#list + 1] = scope .. term .. ' ' .. place.tail
    end
  end
  if #list > 0 then redis.call('ZADD', index.terms, unpack(list)) end
end

local function take_out(index, place, terms)
  local list = {}
  for _, scope in ipairs(place.scopes) do
    for _, term in ipairs(terms) do list[#list + 1] = scope .. term .. ' ' .. place.tail end
  end
  if #list > 0 then redis.call('ZREM', index.terms, unpack(list)) end
end

-- Of some terms, the thread has those that `now` says and no others.
local function change_to(index, place, terms, now)
  local past, new = {}, {}
  for _, term in ipairs(terms) do
    local list = now[term] and new or past
    list[#list + 1] = term
  end
  take_out(index, place, past)
  put_in(index, place, new)
end

local function place_hold(index, place, hold)
  local now = {}
  if hold and hold ~= '' then
    now = {held = true, [cjson.decode(hold).by == cjson.null and 'asked' or 'taken'] = true}
  end
  change_to(index, place, HOLDS, now)
end

-- After a change of who has the thread.
local function index_hold(index, thread, thread_id)
  local at = redis.call('HMGET', thread, 'tenant', 'owner', 'created_at', 'hold')
  place_hold(index, place_of(at[1], at[2], at[3], thread_id), at[4])
end

-- After a change of how long the thread is kept.
local function index_expiry(index, thread, thread_id)
  local due = redis.call('PEXPIRETIME', thread)
  if due > 0 then
    redis.call('ZADD', index.expiry, string.format('%.0f', due), thread_id)
  else
    redis.call('ZREM', index.expiry, thread_id)
  end
end

-- After any change but that of its metadata and of who has it. `indexed` is the status that the index knows.
local function index_state(index, thread, thread_id)
  local at = redis.call('HMGET', thread, 'tenant', 'owner', 'created_at', 'status', 'updated_at', 'indexed')
  local place = place_of(at[1], at[2], at[3], thread_id)
  if at[4] ~= at[6] then
    change_to(index, place, at[6] and {at[6], at[4]} or STATUSES, {[at[4]] = true})
    redis.call('HSET', thread, 'indexed', at[4])
  end
  if index.updates then redis.call('ZADD', index.updates, at[5], place.tail) end
  index_expiry(index, thread, thread_id)
end

local function canonical(value)
  if value == cjson.null then return 'n' end
  if type(value) == 'boolean' then return value and 't' or 'f' end
  if type(value) == 'string' then return 's' .. value end
  if value == math.floor(value) and math.abs(value) < 2 ^ 53 then return string.format('d%.0f', value + 0) end
  return string.format('d%.17g', value)
end

-- Adds the term of each value that lies within another, up to one more than count: metadata may hold a great many.
local function add_terms(found, path, value)
  if #found > MOST then return end
  if type(value) ~= 'table' then
    local term = string.sub(redis.sha1hex(path .. '=' .. canonical(value)), 1, 16)
    if not found[term] then
      found[term] = true
      found[#found + 1] = term
    end
    return
  end
  for key, one in pairs(value) do
    add_terms(found, path .. (type(key) == 'number' and '[' or '.' .. #key .. ':' .. key), one)
  end
end

local function metadata_terms(record)
  local terms = {}
  for i = 1, #record, 2 do
    if string.sub(record[i], 1, 2) == 'm:' then
      local key = string.sub(record[i], 3)
      add_terms(terms, '.' .. #key .. ':' .. key, cjson.decode(record[i + 1]))
      if #terms > MOST then return {WIDE} end
    end
  end
  table.sort(terms)
  return terms
end

-- The place and the terms that are kept of a thread, if any.
local function kept_of(index, thread_id)
  local words = {}
  for word in string.gmatch(redis.call('HGET', index.kept, thread_id) or '', '%S+') do words[#words + 1] = word end
  if #words == 0 then return nil end
  return {scopes = {words[1], words[2]}, tail = words[3] .. ' ' .. thread_id}, {unpack(words, 4)}
end

-- Takes a thread out that is gone, or about to go.
local function unindex(index, thread_id)
  local place, terms = kept_of(index, thread_id)
  redis.call('ZREM', index.expiry, thread_id)
  if not place then return 0 end
  for _, family in ipairs({{''}, STATUSES, HOLDS, terms}) do take_out(index, place, family) end
  if index.updates then redis.call('ZREM', index.updates, place.tail) end
  return redis.call('HDEL', index.kept, thread_id)
end

-- Brings the index in step with all that the thread's record says.
local function index_thread(index, thread, thread_id)
  local record, at = redis.call('HGETALL', thread), {}
  for i = 1, #record, 2 do at[record[i]] = record[i + 1] end
  local place = place_of(at.tenant, at.owner, at.created_at, thread_id)
  local terms, now = metadata_terms(record), {}
  for _, term in ipairs(terms) do now[term] = true end
  local before, past = kept_of(index, thread_id)
  if before and before.tail .. before.scopes[2] ~= place.tail .. place.scopes[2] then  -- another one had the id
    unindex(index, thread_id)
  elseif before then
    change_to(index, place, past, now)
  end
  put_in(index, place, {'', unpack(terms)})
  local words = {place.scopes[1], place.scopes[2], string.match(place.tail, '^%S+'), unpack(terms)}
  redis.call('HSET', index.kept, thread_id, table.concat(words, ' '))
  if before or at.hold then place_hold(index, place, at.hold) end
  redis.call('HDEL', thread, 'indexed')
  index_state(index, thread, thread_id)
end
