-- Apply one event of a journal to the store: once, in order, whole.
--
-- ARGV: 1 prefix, 2 journal id, 3 position, 4 event id, 5 event type, 6 at (ms since the epoch), 7 payload (JSON),
--       8 due at (ms; "" if the event has none), 9 how many call records are kept
-- Returns {status, order number, due_at, is_provisional}; status is "applied", "seen", "refused" (then the second is
-- the error) or "gap" (then the second is the position of the last event applied, and nothing was done).

local prefix, journal, position = ARGV[1], ARGV[2], tonumber(ARGV[3])
local event_id, event_type, at_ms, payload_json = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local due_ms, calls_kept = ARGV[8], tonumber(ARGV[9])

local function key(...) return prefix .. table.concat({...}, ':') end
local MARKER, SEEN = key('applied'), key('seen', journal)
-- Far more than are ever sent twice: a batch whose answer was lost when Redis died.
local SEEN_KEPT = 10000

-- order number -> "number of the order it counts as, event that gave it"
local function number_given(number)
  local known = redis.call('HGET', key('numbers'), number)
  if not known then return nil, nil end
  return string.match(known, '^(%S+) (%S+)$')
end

local function owed_under(number)
  local counts_as = number_given(number) or number
  local due = redis.call('HMGET', key('order', counts_as), 'due_at', 'is_provisional')
  return {counts_as, due[1] or '', due[2] or ''}
end

local function text(value)
  if type(value) == 'table' then return cjson.encode(value) end
  return tostring(value)
end

local function give_number(number, counts_as)
  redis.call('HSET', key('numbers'), number, counts_as .. ' ' .. event_id)
  local day_and_node, sequence = string.match(number, '^(%d%d%d%d%d%d%d)(%d+)$')
  if day_and_node then
    local highest = tonumber(redis.call('HGET', key('highest'), day_and_node) or '0')
    if tonumber(sequence) > highest then redis.call('HSET', key('highest'), day_and_node, sequence) end
  end
end

-- A number that another event already has (a journal was lost, and with it the sequence) must not cost an order.
local function free_number(wanted)
  local number, n = wanted, 1
  local _, owner = number_given(number)
  while owner and owner ~= event_id do
    n = n + 1
    number = wanted .. '-' .. n
    _, owner = number_given(number)
  end
  return number, owner == event_id
end

local function open_order(order)
  local number, is_there = free_number(order.order_id)
  if is_there then return number end
  local of_caller = order.callback_number .. '|' .. order.matter_id
  local open_one = order.callback_number ~= '' and redis.call('HGET', key('open'), of_caller)
  if open_one then -- 并单: the open order takes the call up; its deadline stays
    give_number(number, open_one)
    redis.call('RPUSH', key('order', open_one, 'merged'), payload_json)
    return number
  end
  give_number(number, number)
  local fields = {}
  for name, value in pairs(order) do
    if value ~= cjson.null then
      fields[#fields + 1] = name
      fields[#fields + 1] = text(value)
    end
  end
  redis.call('HSET', key('order', number), unpack(fields))
  redis.call('HSET', key('order', number), 'order_id', number, 'state', 'opened', 'due_ms', due_ms)
  redis.call('ZADD', key('orders'), at_ms, number)
  redis.call('ZADD', key('due'), due_ms, number)
  if order.callback_number ~= '' then redis.call('HSET', key('open'), of_caller, number) end
  return number
end

local function change_state(change)
  local number = number_given(change.order_id) or change.order_id
  local order = key('order', number)
  local now = redis.call('HMGET', order, 'state', 'callback_number', 'matter_id', 'due_ms')
  if now[1] ~= change.state_from then return number end
  redis.call('HSET', order, 'state', change.state_to)
  local of_caller = now[2] .. '|' .. now[3]
  if change.is_open then
    redis.call('ZADD', key('due'), now[4], number)
    if now[2] ~= '' then redis.call('HSETNX', key('open'), of_caller, number) end
  else
    redis.call('ZREM', key('due'), number)
    if redis.call('HGET', key('open'), of_caller) == number then redis.call('HDEL', key('open'), of_caller) end
  end
  return number
end

-- Keep a record under its id and in the list of its kind by time; the oldest beyond the cap go.
local function keep(kind, id, may_replace)
  if may_replace then
    redis.call('SET', key(kind, id), payload_json)
  else
    redis.call('SET', key(kind, id), payload_json, 'NX')
  end
  redis.call('ZADD', key(kind .. 's'), 'NX', at_ms, id)
  local surplus = redis.call('ZCARD', key(kind .. 's')) - calls_kept
  if surplus > 0 then
    for _, oldest in ipairs(redis.call('ZRANGE', key(kind .. 's'), 0, surplus - 1)) do
      redis.call('DEL', key(kind, oldest))
    end
    redis.call('ZREMRANGEBYRANK', key(kind .. 's'), 0, surplus - 1)
  end
end

local function call_of(payload)
  assert(type(payload.call_id) == 'string', 'not about a call')
  return payload.call_id
end

local handlers = {
  order_opened = function(payload)
    assert(type(payload.order_id) == 'string' and type(payload.callback_number) == 'string'
      and type(payload.matter_id) == 'string' and due_ms ~= '', 'not an order')
    return open_order(payload)
  end,
  order_state_changed = function(payload)
    assert(type(payload.order_id) == 'string' and type(payload.state_to) == 'string', 'not a change of state')
    return change_state(payload)
  end,
  call_offered = function(payload) keep('call', call_of(payload), false) end,
  call_ended = function(payload) keep('call', call_of(payload), true) end,
  survey_answered = function() keep('survey', event_id, true) end,
}

local function finished(status, answer)
  redis.call('ZADD', SEEN, position, event_id)
  redis.call('ZREMRANGEBYSCORE', SEEN, '-inf', position - SEEN_KEPT)
  redis.call('HSET', MARKER, journal, position)
  return {status, unpack(answer)}
end

local function error_text(err)
  return type(err) == 'table' and tostring(err.err) or tostring(err)
end

-- What says nothing about the event: memory or disk of Redis is full, or it is a replica now. To be tried again.
local function is_about_redis(message)
  for _, word in ipairs({'OOM', 'MISCONF', 'READONLY', 'NOREPLICAS', 'BUSY'}) do
    if string.find(message, word, 1, true) then return true end
  end
  return false
end

local applied = tonumber(redis.call('HGET', MARKER, journal) or '0')
if redis.call('ZSCORE', SEEN, event_id) then
  local ok, payload = pcall(cjson.decode, payload_json)
  local order_id = ok and type(payload) == 'table' and payload.order_id
  local answer = type(order_id) == 'string' and owed_under((free_number(order_id))) or {'', '', ''}
  if applied == position - 1 then redis.call('HSET', MARKER, journal, position) end
  return {'seen', unpack(answer)}
end
if applied ~= position - 1 then return {'gap', tostring(applied), '', ''} end

local handler = handlers[event_type]
if not handler then return finished('applied', {'', '', ''}) end
local ok, result = pcall(function() return handler(cjson.decode(payload_json)) end)
if not ok then
  local message = error_text(result)
  if is_about_redis(message) then error(message) end
  -- It stays in the journal, and is listed here; those behind it must not wait for ever.
  redis.call('HSET', key('refused'), event_id, message)
  return finished('refused', {message, '', ''})
end
return finished('applied', result and owed_under(result) or {'', '', ''})
