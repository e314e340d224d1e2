-- Return those of some orders of a journal that Redis has lost, or has lost part of.
--
-- ARGV: 1 prefix, then number and event id of each order that was opened and not forgotten
-- An order that an earlier version of another node forgot, without leaving a word of it, looks lost.

local prefix = ARGV[1]
local function key(...) return prefix .. table.concat({...}, ':') end

local function is_whole(number, event_id)
  local known = redis.call('HGET', key('numbers'), number)
  if not known then return redis.call('HEXISTS', key('refused'), event_id) == 1 end
  local counts_as = string.match(known, '^%S+')
  local document = redis.call('GET', key('order', counts_as))
  if not document then
    return string.find(redis.call('HGET', key('numbers'), counts_as) or '', ' forgotten', 1, true) ~= nil
  end
  local order = cjson.decode(document)
  local unit_id = order.unit_id
  if unit_id == nil or unit_id == cjson.null then unit_id = '' end
  return redis.call('ZSCORE', key('orders'), counts_as)
    and redis.call('HEXISTS', key('order_facts'), counts_as) == 1
    and redis.call('ZSCORE', key('filed', unit_id .. '|' .. order.state), counts_as)
    and (not order.is_open
      or (redis.call('ZSCORE', key('due'), counts_as) and redis.call('HEXISTS', key('stamps'), counts_as) == 1))
    and (order.state ~= 'reached' or redis.call('ZSCORE', key('reached'), counts_as))
end

local lost = {}
for n = 2, #ARGV, 2 do
  if not is_whole(ARGV[n], ARGV[n + 1]) then lost[#lost + 1] = ARGV[n] end
end
return lost
