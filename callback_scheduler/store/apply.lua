-- Apply one event of a journal to the store: once, in order, whole.
--
-- ARGV: 1 prefix, 2 journal id, 3 position, 4 event id, 5 event type, 6 at (ms since the epoch), 7 payload (JSON),
--       8 due at (ms; "" if the event has none), 9 how many call records are kept, 10 chain of the journal up to here,
--       11 what the event adds to the facts that reports count (JSON, of event_facts.py; "" for nothing): they are judged
--       there and only stored here
-- Returns {status, order number, due_at, is_provisional, unit}, the last only for an event of an order. The status is
-- "applied", "seen", "refused" (then the second is the error), "gap" (then the second is the position of the last
-- event applied, and nothing was done) or "unjudged" (then the second is an order for which an earlier version put
-- events by without facts, and nothing was done: to be judged, and this event sent again).

local prefix, journal, position = ARGV[1], ARGV[2], tonumber(ARGV[3])
local event_id, event_type, at_ms, payload_json = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local due_ms, calls_kept, chain, facts_json = ARGV[8], tonumber(ARGV[9]), ARGV[10], ARGV[11]

local function key(...) return prefix .. table.concat({...}, ':') end
local MARKER, SEEN = key('applied'), key('seen', journal)
-- Far more than are ever sent twice: a batch whose answer was lost when Redis died.
local SEEN_KEPT = 10000

-- order number -> "number of the order it counts as, event that gave it", and " forgotten" when it is
local function number_given(number)
  local known = redis.call('HGET', key('numbers'), number)
  if not known then return nil, nil end
  return string.match(known, '^(%S+) (%S+)')
end

-- An order is one JSON document: half the memory of a hash, and 100,000 are read in a moment.
local function order_of(number)
  local document = redis.call('GET', key('order', number))
  return document and cjson.decode(document)
end

local function owed(order)
  return {order.order_id, order.due_at or '', tostring(order.is_provisional), order.unit_id or ''}
end

local function owed_under(number)
  local order = order_of(number_given(number) or number)
  return order and owed(order) or {number, '', ''}
end

-- What is wrong with the event, not with Redis; the first word tells the ledger which error it is.
local function refuse(why) error({err = why}) end

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

-- Sorted sets of open orders, that which is open the longest first: under number to ring and matter, and under each
-- phone. Many may share a phone (a switchboard); only one is open under number and matter, unless another was reopened.
local function indexed_by(order)
  local found = {}
  if order.callback_number ~= '' then
    found[key('open', order.callback_number .. '|' .. order.matter_id)] = true
    found[key('open_by_phone', order.callback_number)] = true
  end
  if order.caller_number ~= '' then found[key('open_by_phone', order.caller_number)] = true end
  return found
end

local function given(value)
  return value ~= nil and value ~= cjson.null and value
end

-- Attempts in the order they were begun: by `begun_of`, then by name, which ends with a number.
local function in_order(ids, begun_of)
  table.sort(ids, function(one, other)
    local begun, other_begun = begun_of(one), begun_of(other)
    if begun ~= other_begun then return begun < other_begun end
    if #one ~= #other then return #one < #other end
    return one < other
  end)
  return ids
end

local function names_of(attempts)
  local ids = {}
  for id in pairs(attempts or {}) do ids[#ids + 1] = id end
  return ids
end

-- A version that kept no facts in the document has written to it last: what it kept beside it is taken over. Times in
-- UTC are in order as texts, too.
local function take_over_facts(order)
  if order.facts_at == order.version then return end
  local kept = redis.call('HGET', key('order_facts'), order.order_id)
  if not kept then return end
  local facts = cjson.decode(kept)
  order.opened_ms, order.acknowledged_ms, order.self_reported_ms, order.tries = facts[5], facts[7], facts[8], {}
  local ids = in_order(names_of(order.attempts), function(id) return given(order.attempts[id].begun_at) or '' end)
  for n, id in ipairs(ids) do order.tries[id] = facts[10][n] end
end

-- What this event adds to the facts of an order.
local function add_facts(order, attempt)
  local added = facts_json ~= '' and cjson.decode(facts_json) or {}
  for _, name in ipairs({'opened_ms', 'acknowledged_ms', 'self_reported_ms'}) do
    if added[name] then order[name] = added[name] end
  end
  if added.try then
    order.tries = order.tries or {}
    order.tries[attempt.attempt_id] = added.try
  end
end

-- What of an order may become another: verdict.Past, without its instant.
local function changing(order)
  return {given(order.unit_id) or '', order.state, order.due_ms, order.acknowledged_ms or 0,
    order.self_reported_ms or 0, given(order.returns) or 0}
end

-- Whether a report of the time before must be told of `was`: what is only added has its own instant.
local function is_history(was, is)
  local is_lost = (was[4] ~= 0 and was[4] ~= is[4]) or (was[5] ~= 0 and was[5] ~= is[5])
  return is_lost or was[1] ~= is[1] or was[3] ~= is[3] or was[6] ~= is[6] or is[2] == 'merged'
end

-- A version that kept no past in the document has written to it last: which unit had the order until when stands in
-- its events.
local function take_over_past(order)
  if order.past_at == order.version or #(order.units_before or {}) == 0 then return end
  local kept, past, n = {}, {}, 0
  for _, one in ipairs(order.past or {}) do kept[string.format('%.0f', one[1])] = one end
  for _, line in ipairs(redis.call('LRANGE', key('order', order.order_id, 'events'), 0, -1)) do
    local event = cjson.decode(line)
    local changes, ended = event.payload.changes, string.format('%.0f', event.at_ms)
    if type(changes) == 'table' and given(changes.unit_id) then
      n = n + 1
      if order.units_before[n] then
        kept[ended] = kept[ended] or {event.at_ms, order.units_before[n], 'sent', order.due_ms, 0, 0, 0}
      end
    end
  end
  for _, one in pairs(kept) do past[#past + 1] = one end
  table.sort(past, function(one, other) return one[1] < other[1] end)
  order.past = past
end

local function keep_past(order, was)
  local is = changing(order)
  if is_history(was, is) then
    order.past = order.past or {}
    order.past[#order.past + 1] = {tonumber(at_ms), unpack(was)}
  end
  order.past_at = order.version
  if #(order.past or {}) > 0 then redis.call('HSET', key('order_past'), order.order_id, cjson.encode(order.past)) end
end

-- A request of a chat in working hours was missed by nobody. Told beside the facts, whose words an earlier version knows.
local function keep_kind(order)
  if order.kind == 'online' and order.counted_as == 'missed_in_hours' then
    redis.call('HSET', key('order_counted'), order.order_id, 'online')
  end
end

-- What a report asks of an order (verdict.Facts), short enough that it reads 100,000 of them in a moment.
local function keep_facts(order)
  order.facts_at = order.version
  local tries = {}
  for _, id in ipairs(in_order(names_of(order.tries), function(id) return order.tries[id][1] end)) do
    tries[#tries + 1] = order.tries[id]
  end
  redis.call('HSET', key('order_facts'), order.order_id, cjson.encode({
    order.order_id, given(order.unit_id) or '', given(order.counted_as) or 'after_hours', order.state,
    order.opened_ms or 0, order.due_ms, order.acknowledged_ms or 0, order.self_reported_ms or 0,
    given(order.returns) or 0, tries,
  }))
end

-- For lists of orders, open or not: by unit and state, and by phone; scores as in `orders`.
local function filed_under(order)
  return key('filed', (given(order.unit_id) or '') .. '|' .. order.state)
end

local function file(order, filed_before)
  local filed, opened_ms = filed_under(order), redis.call('ZSCORE', key('orders'), order.order_id)
  if filed_before and filed_before ~= filed then redis.call('ZREM', filed_before, order.order_id) end
  redis.call('ZADD', filed, 'NX', opened_ms, order.order_id)
  redis.call('SADD', key('units'), given(order.unit_id) or '')
  for _, phone in ipairs({order.callback_number, order.caller_number}) do
    if given(phone) and phone ~= '' then redis.call('ZADD', key('of_phone', phone), 'NX', opened_ms, order.order_id) end
  end
end

-- A number that an order has no more must not lead to it, nor stand here when the order is forgotten.
local function leave_phones(order, phones_before)
  for _, phone in ipairs(phones_before) do
    if given(phone) and phone ~= order.callback_number and phone ~= order.caller_number then
      redis.call('ZREM', key('of_phone', phone), order.order_id)
    end
  end
end

-- Everything about an event that may be wrong has been looked at before the first of these writes.
local function save(order, indexed_before, filed_before)
  keep_facts(order)
  keep_kind(order)
  file(order, filed_before)
  redis.call('SET', key('order', order.order_id), cjson.encode(order))
  local indexed = order.is_open and indexed_by(order) or {}
  for index in pairs(indexed_before or {}) do
    if not indexed[index] then redis.call('ZREM', index, order.order_id) end
  end
  for index in pairs(indexed) do redis.call('ZADD', index, 'NX', at_ms, order.order_id) end
  if order.is_open then
    redis.call('ZADD', key('due'), order.due_ms, order.order_id)
    redis.call('HSET', key('stamps'), order.order_id, order.version + #(order.merged or {}))
  else
    redis.call('ZREM', key('due'), order.order_id)
    redis.call('HDEL', key('stamps'), order.order_id)
  end
  if order.state == 'reached' then
    redis.call('ZADD', key('reached'), 'NX', at_ms, order.order_id)
  else
    redis.call('ZREM', key('reached'), order.order_id)
  end
end

local function tell(number, payload)
  redis.call('RPUSH', key('order', number, 'events'), string.format(
    '{"event_id":"%s","type":"%s","at_ms":%s,"payload":%s}', event_id, event_type, at_ms, payload))
end

local function tell_of_call(number, order)
  tell(number, cjson.encode({
    order_id = order.order_id, call_id = order.call_id, kind = order.kind, unit_id = order.unit_id,
    due_at = order.due_at, message_path = order.message_path,
  }))
end

-- The open order of the same number and matter, nil if there is none.
local function open_one_like(opened)
  if opened.callback_number == '' then return nil end
  return redis.call('ZRANGE', key('open', opened.callback_number .. '|' .. opened.matter_id), 0, 0)[1]
end

local function open_order(opened)
  local number, is_there = free_number(opened.order_id)
  if is_there then return owed_under(number) end
  local open_one = open_one_like(opened)
  if open_one then -- 并单: the open order takes the call up; its deadline stays
    local order = order_of(open_one)
    take_over_facts(order)
    order.merged = order.merged or {}
    order.merged[#order.merged + 1] = opened
    for _, name in ipairs({'company', 'contact'}) do -- who says it later says it for the order
      if (given(order[name]) or '') == '' and (given(opened[name]) or '') ~= '' then order[name] = opened[name] end
    end
    give_number(number, order.order_id)
    save(order)
    tell_of_call(order.order_id, opened)
    return owed(order)
  end
  local order = {}
  for name, value in pairs(opened) do
    if value ~= cjson.null then order[name] = value end
  end
  order.order_id, order.state, order.is_open, order.version = number, 'opened', true, 1
  order.due_ms = tonumber(due_ms)
  add_facts(order)
  give_number(number, number)
  redis.call('ZADD', key('orders'), at_ms, number)
  save(order)
  tell_of_call(number, opened)
  return owed(order)
end

-- Fields that grow instead of being replaced; null empties them.
local growing = {
  steps_done = function(before, steps)
    for _, step in ipairs(steps) do before[step] = 1 end
  end,
  messages = function(before, paths)
    for _, path in ipairs(paths) do before[#before + 1] = path end
  end,
  -- the same text sent again says nothing new
  written_requests = function(before, texts)
    local known = {}
    for _, text in ipairs(before) do known[text] = true end
    for _, text in ipairs(texts) do
      if not known[text] then before[#before + 1] = text end
      known[text] = true
    end
  end,
}

local function merge(order, changes)
  if changes.unit_id and changes.unit_id ~= order.unit_id then
    order.units_before = order.units_before or {}
    order.units_before[#order.units_before + 1] = order.unit_id
  end
  if given(changes.written_request) then -- an earlier version kept only the last one, and names only that
    local texts = order.written_requests or {}
    local before = given(order.written_request) or ''
    if #texts == 0 and before ~= '' then texts[1] = before end
    order.written_requests = texts
    changes.written_requests = given(changes.written_requests) or {changes.written_request}
  end
  for name, value in pairs(changes) do
    if value == cjson.null then
      order[name] = nil
    elseif growing[name] then
      order[name] = order[name] or {}
      growing[name](order[name], value)
    else
      order[name] = value
    end
  end
  if due_ms ~= '' then order.due_ms = tonumber(due_ms) end
end

-- Of two leases on an order the later one counts; whoever holds the earlier one was paused or cut off.
local function check_fence(number, epoch)
  if type(epoch) ~= 'number' then return end
  local latest = tonumber(redis.call('HGET', key('epochs'), number) or '0')
  if epoch < latest then
    refuse(string.format('fenced: the lease of epoch %.0f is over, the order is held under %.0f', epoch, latest))
  end
  redis.call('HSET', key('epochs'), number, string.format('%.0f', epoch))
end

-- Whether an event was made on a later picture of the order than we have: Redis was lost, and the journal of another
-- node, which holds what comes before, has not been read again so far.
local function is_early(order, change)
  return type(change.version_from) == 'number' and (order and order.version or 0) < change.version_from
end

-- A change moves the state from one to another; a note has none of both and leaves it.
local function change_order(change)
  local order = order_of(number_given(change.order_id) or change.order_id)
  if is_early(order, change) then
    redis.call('RPUSH', key('early', change.order_id),
      cjson.encode({event_id, event_type, at_ms, due_ms, payload_json, facts_json}))
    return {change.order_id, '', ''}
  end
  if not order then refuse('unknown: there is no order ' .. change.order_id) end
  check_fence(order.order_id, change.epoch)
  if change.state_from and order.state ~= change.state_from then
    refuse(string.format('stale: the order was %s, and is %s', change.state_from, order.state))
  end
  take_over_facts(order)
  take_over_past(order)
  local was = changing(order)
  local indexed_before, filed_before = indexed_by(order), filed_under(order)
  local phones_before = {order.callback_number, order.caller_number}
  if type(change.changes) == 'table' then merge(order, change.changes) end
  if type(change.attempt) == 'table' then
    order.attempts = order.attempts or {}
    order.attempts[change.attempt.attempt_id] = change.attempt
  end
  add_facts(order, change.attempt)
  if change.state_to then order.state, order.is_open = change.state_to, change.is_open end
  order.version = order.version + 1
  keep_past(order, was)
  leave_phones(order, phones_before)
  save(order, indexed_before, filed_before)
  tell(order.order_id, payload_json)
  return owed(order)
end

-- What is left of an order is its number, which is not given again.
local function forget_order(number)
  local order = order_of(number)
  if not order then return end
  if order.is_open then refuse('open: the order is still owed') end
  redis.call('DEL', key('order', number), key('order', number, 'events'), key('early', number), key('lease', number))
  redis.call('ZREM', key('orders'), number)
  redis.call('ZREM', filed_under(order), number)
  for _, phone in ipairs({order.callback_number, order.caller_number}) do
    if given(phone) then redis.call('ZREM', key('of_phone', phone), number) end
  end
  redis.call('ZREM', key('reached'), number)
  redis.call('HDEL', key('order_facts'), number)
  redis.call('HDEL', key('order_past'), number)
  redis.call('HDEL', key('order_counted'), number)
  redis.call('HDEL', key('epochs'), number)
  -- or it would look like one that Redis has lost: see check.lua
  redis.call('HSET', key('numbers'), number, redis.call('HGET', key('numbers'), number) .. ' forgotten')
end

local function forget_records(kind, before_ms)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key(kind .. 's'), '-inf', '(' .. before_ms)) do
    redis.call('DEL', key(kind, id))
    redis.call('HDEL', key(kind .. '_facts'), id)
    if kind == 'survey' then redis.call('HDEL', key('followed_up'), id) end
    redis.call('ZREM', key(kind .. 's'), id)
  end
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
      redis.call('HDEL', key(kind .. '_facts'), oldest)
    end
    redis.call('ZREMRANGEBYRANK', key(kind .. 's'), 0, surplus - 1)
  end
end

-- What a report asks of a call (call_facts.CallFacts).
local function keep_call_facts(id)
  assert(facts_json ~= '', 'not the record of a call')
  redis.call('HSET', key('call_facts'), id, cjson.encode(cjson.decode(facts_json)))
end

local function keep_survey_facts(answer)
  local solved = answer.is_solved
  if solved == nil then solved = cjson.null end
  redis.call('HSET', key('survey_facts'), event_id, cjson.encode({
    tonumber(at_ms), given(answer.unit_id) or '', given(answer.level) or 0, solved,
  }))
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
  order_changed = function(payload)
    assert(type(payload.order_id) == 'string' and type(payload.state_from) == 'string'
      and type(payload.state_to) == 'string' and type(payload.is_open) == 'boolean', 'not a change of an order')
    return change_order(payload)
  end,
  order_noted = function(payload)
    assert(type(payload.order_id) == 'string' and type(payload.note) == 'string'
      and payload.state_to == nil, 'not a note of an order')
    return change_order(payload)
  end,
  order_forgotten = function(payload) forget_order(payload.order_id) end,
  records_forgotten = function(payload)
    local before_ms = string.format('%.0f', payload.before_ms)
    forget_records('call', before_ms)
    forget_records('survey', before_ms)
  end,
  -- What Redis refused once, when the journal is read again: see applier.py.
  order_event_refused = function(payload) redis.call('HSET', key('refused'), event_id, payload.why) end,
  call_offered = function(payload) keep('call', call_of(payload), false) end,
  call_ended = function(payload)
    keep_call_facts(call_of(payload)) -- before `keep`, which takes them away again with the oldest calls
    keep('call', payload.call_id, true)
  end,
  survey_answered = function(payload)
    keep_survey_facts(payload)
    keep('survey', event_id, true)
  end,
  survey_followed_up = function(payload)
    assert(type(payload.survey_id) == 'string', 'not about a survey')
    redis.call('HSET', key('followed_up'), payload.survey_id, payload_json)
  end,
}

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

-- It stays in the journal, and is listed here; those behind it must not wait for ever.
local function list_refused(message)
  if is_about_redis(message) then error(message) end
  redis.call('HSET', key('refused'), event_id, message)
end

-- The order whose early events have their turn after this event of an order.
local function followed_up(payload)
  if event_type ~= 'order_opened' then return number_given(payload.order_id) or payload.order_id end
  local number, is_there = free_number(payload.order_id)
  return is_there and owed_under(number)[1] or open_one_like(payload) or number
end

-- The order for which events wait without facts, nil if there is none. A node of an earlier version may stand beside
-- us for as long as it likes, and puts them by so: they are looked for whenever they are about to be applied.
local function unjudged_for(payload)
  if not string.match(event_type, '^order_') then return nil end
  local ok, number = pcall(followed_up, payload)
  if not ok or type(number) ~= 'string' then return nil end -- the handler says what is wrong with it
  for _, event in ipairs(redis.call('LRANGE', key('early', number), 0, -1)) do
    if #cjson.decode(event) < 6 then return number end
  end
end

-- Let those events of an order that came early happen whose turn it is now.
local function catch_up(number)
  local EARLY = key('early', number)
  if redis.call('EXISTS', EARLY) == 0 then return end
  repeat
    local early = redis.call('LRANGE', EARLY, 0, -1)
    redis.call('DEL', EARLY)
    for _, event in ipairs(early) do
      event_id, event_type, at_ms, due_ms, payload_json, facts_json = unpack(cjson.decode(event))
      local ok, failed = pcall(function() return handlers[event_type](cjson.decode(payload_json)) end)
      if not ok then list_refused(error_text(failed)) end
    end
  until redis.call('LLEN', EARLY) == #early
end

local function mark()
  redis.call('HSET', MARKER, journal, position)
  redis.call('HSET', key('chain'), journal, position .. ' ' .. chain)
end

local function finished(status, answer)
  redis.call('ZADD', SEEN, position, event_id)
  redis.call('ZREMRANGEBYSCORE', SEEN, '-inf', position - SEEN_KEPT)
  mark()
  return {status, unpack(answer)}
end

local applied = tonumber(redis.call('HGET', MARKER, journal) or '0')
if redis.call('ZSCORE', SEEN, event_id) then
  local refused = redis.call('HGET', key('refused'), event_id)
  local ok, payload = pcall(cjson.decode, payload_json)
  local order_id = ok and type(payload) == 'table' and payload.order_id
  local answer = type(order_id) == 'string' and owed_under((free_number(order_id))) or {'', '', ''}
  if applied == position - 1 then mark() end
  if refused then return {'refused', refused, '', ''} end
  return {'seen', unpack(answer)}
end
if applied ~= position - 1 then return {'gap', tostring(applied), '', ''} end

local handler = handlers[event_type]
if not handler then return finished('applied', {'', '', ''}) end
local is_json, payload = pcall(cjson.decode, payload_json)
local unjudged = is_json and unjudged_for(payload)
if unjudged then return {'unjudged', unjudged, '', ''} end
local ok, result = pcall(function() return handler(cjson.decode(payload_json)) end)
if not ok then
  list_refused(error_text(result))
  return finished('refused', {error_text(result), '', ''})
end
local answer = finished('applied', result or {'', '', ''})
if result then catch_up(result[1]) end
return answer
