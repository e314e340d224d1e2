"""Ending a node without cutting anybody off: nobody comes in, no callback is begun, and the last one ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger()

_LOOK_EVERY_S = 0.5


class Drain:
    """Closes what lets people in (`close`), and calls `end` once no call is left, or after `most_s`."""

    def __init__(self, reactor: Any, most_s: float, *, close: Callable[[], None], calls: Callable[[], int]) -> None:
        self._reactor, self._most_s, self._close, self._calls = reactor, most_s, close, calls
        self._ends_at: float | None = None
        self._look: Any = None
        self.end: Callable[[], None] = lambda: None

    @property
    def has_begun(self) -> bool:
        """Whether the node lets nobody in any more."""
        return self._ends_at is not None

    def begin(self) -> dict[str, Any]:
        """Let nobody in from now on; beginning twice changes nothing. Returns `status`."""
        if self._ends_at is None:
            self._ends_at = self._reactor.seconds() + self._most_s
            log.warning("drain_begun", calls=self._calls(), most_s=self._most_s)
            self._close()
            self._look = self._reactor.callLater(0, self._end_if_empty)
        return self.status()

    def status(self) -> dict[str, Any]:
        """Return whether it has begun, how many calls are left, and for how many seconds they are waited for."""
        left_s = 0.0 if self._ends_at is None else max(0.0, self._ends_at - self._reactor.seconds())
        return {"is_draining": self.has_begun, "calls": self._calls(), "left_s": round(left_s)}

    def stop(self) -> None:
        """Look no more: the node ends."""
        if self._look is not None and self._look.active():
            self._look.cancel()

    def _end_if_empty(self) -> None:
        assert self._ends_at is not None
        calls = self._calls()
        if calls and self._reactor.seconds() < self._ends_at:
            self._look = self._reactor.callLater(_LOOK_EVERY_S, self._end_if_empty)
            return
        log.warning("drain_over", calls=calls)
        self.end()
