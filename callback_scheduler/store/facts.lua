-- Return what a report asks of each order, call or survey of a stretch of time, as one JSON list, oldest first.
--
-- One long answer instead of thousands of short ones: reading those takes a client longer than Redis needs to find them.
-- ARGV: 1 prefix, 2 kind (order, call, survey), 3 and 4 from and to as ZRANGEBYSCORE takes them

local prefix, kind, first, last = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local names = redis.call('ZRANGEBYSCORE', prefix .. kind .. 's', first, last)
local lines = {}
for start = 1, #names, 1000 do
  local some = {unpack(names, start, math.min(start + 999, #names))}
  -- what has no facts comes as false, which ends no list
  for _, line in ipairs(redis.call('HMGET', prefix .. kind .. '_facts', unpack(some))) do
    if line then lines[#lines + 1] = line end
  end
end
return '[' .. table.concat(lines, ',') .. ']'
