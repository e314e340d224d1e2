"""Calls that came a moment before a line was ready: they wait for it, two seconds at most, and are not turned away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from config.settings import Trunk
from ivr.door.relay import Premises
from ivr.sip.message import SipMessage
from ivr.sip.sockets import Hop

# A line is forked in some 10 ms; a caller's phone begins to wonder after 3 s of nothing but 100 Trying.
_PATIENCE_S = 2.0
_SEATS = 200

Key = tuple[bytes, bytes]


@dataclass(frozen=True)
class Waiting:
    """An INVITE (source stamped) that may be admitted, as it came."""

    message: SipMessage
    source: Hop
    trunk: Trunk
    timer: Any


class WaitingRoom:
    """Holds INVITEs in the order they came; `turn_away` refuses one whose time is up."""

    def __init__(self, reactor: Any, premises: Premises, turn_away: Callable[[SipMessage], None]) -> None:
        self._reactor, self._premises, self._turn_away = reactor, premises, turn_away
        self._waiting: OrderedDict[Key, Waiting] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting.values())

    def seat(self, message: SipMessage, source: Hop, trunk: Trunk) -> bool:
        """Let an INVITE wait, with 100 Trying; False if the room is full."""
        if len(self._waiting) >= _SEATS:
            return False
        timer = self._reactor.callLater(_PATIENCE_S, self._time_is_up, _key(message))
        self._waiting[_key(message)] = Waiting(message, source, trunk, timer)
        self._premises.counters.count("waited_for_line")
        self._premises.refuse(message, 100)
        return True

    def holds(self, message: SipMessage) -> bool:
        """Return whether the INVITE of this call waits here."""
        return _key(message) in self._waiting

    def call_next(self) -> Waiting | None:
        """Return the one that waited longest, and let it go."""
        if not self._waiting:
            return None
        _, waiting = self._waiting.popitem(last=False)
        waiting.timer.cancel()
        return waiting

    def cancel(self, cancel: SipMessage) -> bool:
        """End the wait of the INVITE that a CANCEL is about (RFC 3261 9.2); False if it does not wait here."""
        waiting = self._waiting.pop(_key(cancel), None)
        if waiting is None:
            return False
        waiting.timer.cancel()
        self._premises.refuse(cancel, 200)
        self._premises.refuse(waiting.message, 487)
        return True

    def close(self) -> None:
        """Turn everybody away."""
        while (waiting := self.call_next()) is not None:
            self._turn_away(waiting.message)

    def _time_is_up(self, key: Key) -> None:
        self._turn_away(self._waiting.pop(key).message)


def _key(message: SipMessage) -> Key:
    return message.call_id, message.from_tag
