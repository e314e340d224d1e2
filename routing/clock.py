"""Wall time of the service: one clock object, which a rehearsal can set.

Rules run in Asia/Shanghai. Whatever waits (timers) takes Twisted's reactor instead; a clock only tells what time it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock:
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in Asia/Shanghai."""
        raise NotImplementedError


class SystemClock(Clock):
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the machine's time."""
        return datetime.now(SHANGHAI)


class MovableClock(Clock):
    """A clock that can be set, and runs on at real speed from there: for `--at`, the demo and tests.

    `monotonic` gives elapsed seconds; a test passes `twisted.internet.task.Clock().seconds` and so stands still.
    """

    def __init__(self, start: datetime | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.set(start or datetime.now(SHANGHAI))

    def now(self) -> datetime:
        """Return what the clock was set to plus the time since."""
        return self._start + timedelta(seconds=self._monotonic() - self._set_at_s)

    def set(self, at: datetime) -> None:
        """Set the clock to `at`; a time without zone is taken as Shanghai's."""
        self._start = in_shanghai(at)
        self._set_at_s = self._monotonic()

    def advance(self, by: timedelta) -> None:
        """Move the clock on (or back) by `by`."""
        self.set(self.now() + by)


def in_shanghai(at: datetime) -> datetime:
    """Return `at` in Asia/Shanghai; a time without zone is taken as Shanghai's."""
    return at.replace(tzinfo=SHANGHAI) if at.tzinfo is None else at.astimezone(SHANGHAI)
