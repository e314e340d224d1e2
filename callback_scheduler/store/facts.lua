-- Return what a report asks of each order, call or survey of a stretch of time, as one JSON list, oldest first.
--
-- What an order is counted as by a later word (`order_counted`) stands in the place of the earlier one.
-- What an order was before (verdict.Past) stands at the end of its line, where there is something to tell.
-- One long answer instead of thousands of short ones: reading those takes a client longer than Redis needs to find them.
-- ARGV: 1 prefix, 2 kind (order, call, survey), 3 and 4 from and to as ZRANGEBYSCORE takes them

local prefix, kind, first, last = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local names = redis.call('ZRANGEBYSCORE', prefix .. kind .. 's', first, last)
local counted = prefix .. kind .. '_counted'
local has_counted = redis.call('EXISTS', counted) == 1
local past, lines = prefix .. kind .. '_past', {}
local has_past = redis.call('EXISTS', past) == 1
for start = 1, #names, 1000 do
  local some = {unpack(names, start, math.min(start + 999, #names))}
  -- what has no facts comes as false, which ends no list
  local before = has_past and redis.call('HMGET', past, unpack(some)) or {}
  local words = has_counted and redis.call('HMGET', counted, unpack(some)) or {}
  for n, line in ipairs(redis.call('HMGET', prefix .. kind .. '_facts', unpack(some))) do
    if line and words[n] then line = string.gsub(line, '"missed_in_hours"', '"' .. words[n] .. '"', 1) end
    if line and before[n] then line = string.sub(line, 1, -2) .. ',' .. before[n] .. ']' end
    if line then lines[#lines + 1] = line end
  end
end
return '[' .. table.concat(lines, ',') .. ']'
