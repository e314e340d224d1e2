"""Whether Redis still has what was put into it, and how it is emptied to be built anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from redis.exceptions import ResponseError

from callback_scheduler.store.connection import Connection

_CHECK = Path(__file__).with_name("check.lua").read_text(encoding="utf-8")
# Leases go on, and sessions and claims are in no journal.
_EMPTY = """
local kept = {lease = true, epochs = true, node = true, console = true}
local cursor = '0'
repeat -- and not KEYS, which an access list may forbid; nothing comes or goes while a script runs
  local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1] .. '*', 'COUNT', 1000)
  cursor = page[1]
  for _, name in ipairs(page[2]) do
    local family = string.match(string.sub(name, #ARGV[1] + 1), '^[^:]*')
    if not kept[family] then redis.call('UNLINK', name) end
  end
until cursor == '0'
"""


class Completeness:
    """Looks for what a Redis has lost by itself: evicted for want of memory, or deleted by somebody. It blocks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lost(self, orders: Mapping[str, str]) -> list[str]:
        """Return those of `orders` (number to the id of the event that opened it) that are not there as a whole."""
        told = [text for pair in orders.items() for text in pair]
        found: list[str] = self._connection.ask(lambda redis: redis.eval(_CHECK, 0, self._connection.prefix, *told))
        return found

    def has_all_calls(self, call_ids: Sequence[str]) -> bool:
        """Whether the records of all these calls are there."""
        if not call_ids:
            return True
        keys = [self._connection.key("call", call_id) for call_id in call_ids]
        return int(self._connection.ask(lambda redis: redis.exists(*keys))) == len(keys)

    def journals(self) -> set[str]:
        """Return the journals that what is in Redis comes from."""
        return set(self._connection.ask(lambda redis: redis.hkeys(self._connection.key("applied"))))

    def empty(self) -> None:
        """Take away all that journals can build anew, in one step: no node writes in between."""
        self._connection.ask(lambda redis: redis.eval(_EMPTY, 0, self._connection.prefix))

    def memory(self) -> tuple[str, int]:
        """Return what Redis does when its memory is full, and how many keys it has dropped.

        ("unknown", 0) if its access list does not let us ask.
        """

        def ask(redis: Any) -> tuple[str, int]:
            try:
                found = redis.info("memory") | redis.info("stats")
            except ResponseError:
                return "unknown", 0
            return str(found.get("maxmemory_policy", "unknown")), int(found.get("evicted_keys", 0))

        return self._connection.ask(ask)
