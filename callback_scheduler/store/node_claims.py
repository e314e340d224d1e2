"""Which node has which number among those that share a Redis: a claim for a while, renewed as long as it lives."""

from __future__ import annotations

from callback_scheduler.store.connection import Connection

# ARGV: 1 key, 2 who claims, 3 for how long (ms). Returns who holds it with the moment they last said so, "" if we do.
_CLAIM = """
local held = redis.call('GET', ARGV[1])
if held and string.match(held, '^(.*) %d+$') ~= ARGV[2] then return held end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('SET', ARGV[1], ARGV[2] .. ' ' .. string.format('%.0f', now_ms), 'PX', ARGV[3])
return ''
"""
_LET_GO = """
local held = redis.call('GET', ARGV[1])
if held and string.match(held, '^(.*) %d+$') == ARGV[2] then redis.call('DEL', ARGV[1]) end
"""


class NodeClaims:
    """Claims of node numbers, each in one step of Redis; what is asked blocks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def claim(self, number: int, who: str, ttl_s: float) -> str:
        """Claim a number for `ttl_s` from now; return "" if it is ours, else who holds it and since when."""
        arguments = (self._key(number), who, round(ttl_s * 1000))
        return str(self._connection.ask(lambda redis: redis.eval(_CLAIM, 0, *arguments)))

    def let_go(self, number: int, who: str) -> None:
        """Give a number free, if it is ours."""
        self._connection.ask(lambda redis: redis.eval(_LET_GO, 0, self._key(number), who))

    def journals_of_living(self) -> set[str]:
        """Return the journals of the nodes that hold a number now."""
        keys = [self._key(number) for number in range(1, 10)]
        held = self._connection.ask(lambda redis: redis.mget(keys))
        return {text.partition(" ")[0] for text in held if text}

    def _key(self, number: int) -> str:
        return self._connection.key("node", str(number))
