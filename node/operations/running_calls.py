"""The calls of this moment, those we placed among them, and each by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ivr.calls.call import Call
from ivr.calls.refusals import Refusal, refused

Calls = Callable[[], Iterable[Call]]


class RunningCalls:
    """The calls of every source: calls that came in, calls we placed."""

    def __init__(self, *sources: Calls) -> None:
        self._sources = sources

    def all(self) -> list[Call]:
        """Return the calls that run, in the order of their sources."""
        return [call for calls in self._sources for call in calls()]

    def named(self, call_id: str) -> Call | None:
        """Return a call that runs; None if it is over, or never was."""
        return next((call for call in self.all() if call.call_id == call_id), None)

    def needed(self, call_id: str) -> Call:
        """Return a call that runs; OperationRefused if it does not."""
        call = self.named(call_id)
        if call is None:
            raise refused(Refusal.NO_SUCH_CALL)
        return call
