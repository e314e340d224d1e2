"""What a conversation of several people waits for: one queue of happenings, in order."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred

from ivr.calls.leg import Leg


class Happenings:
    """A queue of (what, subject) that one flow empties; waiting on it fails when the caller goes."""

    def __init__(self) -> None:
        self._happened: deque[tuple[str, Any]] = deque()
        self._waiting: Deferred[Any] | None = None

    def put(self, what: str, subject: Any) -> None:
        """Add a happening, or wake whoever waits for one."""
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback((what, subject))
        else:
            self._happened.append((what, subject))

    async def next(self, caller: Leg) -> tuple[str, Any]:
        """Return the next happening; CallEnded when the caller is gone, whatever else has happened."""
        if caller.is_gone:
            raise caller.gone_error()
        if self._happened:
            return self._happened.popleft()
        self._waiting = caller.wait()
        happened: tuple[str, Any] = await self._waiting
        return happened
