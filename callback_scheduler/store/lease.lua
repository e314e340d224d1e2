-- Take, renew or release the lease of an order.
--
-- ARGV: 1 prefix, 2 take|renew|release, 3 order number, 4 epoch (0 to take), 5 time to live (ms)
-- Returns the epoch, 0 if the lease is held by somebody else, or is over.
--
-- The clock is that of Redis, which all nodes share. An epoch is never given twice, not even after Redis was lost:
-- it is at least the time, and at least one more than any that an event of the order has carried.

local prefix, verb, order_id, epoch, ttl_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local known = redis.call('HGET', prefix .. 'numbers', order_id)
local number = known and string.match(known, '^%S+') or order_id
local LEASE, EPOCHS = prefix .. 'lease:' .. number, prefix .. 'epochs'
-- Long after it is over, for the memory's sake; it decides nothing.
local FORGET_AFTER_MS = 86400000

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function hold(of_epoch)
  redis.call('HSET', LEASE, 'epoch', string.format('%.0f', of_epoch),
    'since_ms', string.format('%.0f', now_ms), 'until_ms', string.format('%.0f', now_ms + ttl_ms))
  redis.call('PEXPIRE', LEASE, ttl_ms + FORGET_AFTER_MS)
  return of_epoch
end

local held = redis.call('HMGET', LEASE, 'epoch', 'since_ms', 'until_ms')
local held_epoch, since_ms, until_ms = tonumber(held[1] or '0'), tonumber(held[2] or '0'), tonumber(held[3] or '0')
if now_ms < since_ms then
  -- The clock was set back: from now on it lasts as long as it was given for, not that and the step.
  local left_ms = until_ms - since_ms
  since_ms, until_ms = now_ms, now_ms + left_ms
  redis.call('HSET', LEASE, 'since_ms', string.format('%.0f', since_ms), 'until_ms', string.format('%.0f', until_ms))
end
local is_held = now_ms < until_ms

if verb == 'take' then
  if is_held then return 0 end
  local latest = tonumber(redis.call('HGET', EPOCHS, number) or '0')
  local new_epoch = math.max(latest + 1, now_ms)
  redis.call('HSET', EPOCHS, number, string.format('%.0f', new_epoch))
  return hold(new_epoch)
end
if not is_held or held_epoch ~= epoch then return 0 end
if verb == 'renew' then return hold(epoch) end
redis.call('DEL', LEASE)
return epoch
