-- Return the open orders due in a stretch of time, earliest deadline first: a line each of number and stamp (apply.lua).
--
-- ARGV: 1 prefix, 2 and 3 from and to as ZRANGEBYSCORE takes them

local prefix, first, last = ARGV[1], ARGV[2], ARGV[3]
local numbers = redis.call('ZRANGEBYSCORE', prefix .. 'due', first, last)
local lines = {}
for start = 1, #numbers, 1000 do
  local some = {unpack(numbers, start, math.min(start + 999, #numbers))}
  for n, stamp in ipairs(redis.call('HMGET', prefix .. 'stamps', unpack(some))) do
    lines[#lines + 1] = some[n] .. ' ' .. (stamp or '')
  end
end
return table.concat(lines, '\n')
