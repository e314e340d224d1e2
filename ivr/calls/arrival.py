"""Whether the leg of a call that came in has reached its line: waited for once, and told why if it never does."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ivr.calls.errors import CallEnded, LineLost


class Arrival:
    """The way of a caller's leg from the door to its line."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._waiting: Deferred[None] | None = None  # a call that we place has none
        self._is_there = False
        self._failure: CallEnded | None = None
        self.was_refused = False  # by the SIP of its line, before it was a call

    def reached(self) -> None:
        """The leg is there."""
        self._is_there = True
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback(None)

    def refused(self, sip_status: int) -> None:
        """The line has refused the INVITE."""
        self.was_refused = True
        self._fail(CallEnded(f"the line refused the call with {sip_status}"))

    def line_died(self) -> None:
        """The line has died."""
        self._fail(LineLost("the line died before the call arrived"))

    async def wait(self, timeout_s: float) -> None:
        """Wait until the leg is there; CallEnded if it cannot come, or does not within `timeout_s`."""
        if self._is_there:
            return
        if self._failure is not None:
            raise self._failure
        self._waiting = Deferred()
        timer = self._reactor.callLater(timeout_s, self._fail, CallEnded("the call never reached its line"))
        try:
            await self._waiting
        finally:
            if timer.active():
                timer.cancel()

    def _fail(self, failure: CallEnded) -> None:
        self._failure = self._failure or failure
        if self._waiting is not None and not self._waiting.called:
            self._waiting.errback(failure)
