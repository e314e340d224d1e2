"""What a conversation of several people waits for: one queue of happenings, in order."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred

from ivr.calls.leg import Leg


class Happening(Enum):
    """What may happen in a conversation; the comment says what comes with it."""

    LEFT = "left"  # a party has gone: its Leg
    TALKED = "talked"  # caller and another have talked long enough to prove it: None
    SEAT_ASKS = "seat asks"  # a seat has made a command: its SeatRequest
    SEARCH_OVER = "search over"  # specialists were rung: the Leg of the one who accepted, or NobodyAccepted


class Happenings:
    """A queue of (happening, subject) that one flow empties; waiting on it fails when the caller goes."""

    def __init__(self) -> None:
        self._happened: deque[tuple[Happening, Any]] = deque()
        self._waiting: Deferred[Any] | None = None

    def put(self, what: Happening, subject: Any) -> None:
        """Add a happening, or wake whoever waits for one."""
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback((what, subject))
        else:
            self._happened.append((what, subject))

    async def next(self, caller: Leg) -> tuple[Happening, Any]:
        """Return the next happening; CallEnded when the caller is gone, whatever else has happened."""
        if caller.is_gone:
            raise caller.gone_error()
        if self._happened:
            return self._happened.popleft()
        self._waiting = caller.wait()
        happened: tuple[Happening, Any] = await self._waiting
        return happened
