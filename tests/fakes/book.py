"""A journal in a folder, its events, and a reactor that a test pumps by hand."""

from __future__ import annotations

import queue
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from callback_scheduler.journal.journal import Journal, JournalEvent

AT = datetime(2026, 2, 14, 10, 0, tzinfo=timezone.utc)


class Pump:
    """What the journal needs of a reactor: callFromThread. The test itself is the reactor's thread."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.SimpleQueue()

    def callFromThread(self, call: Callable[..., None], *args: Any) -> None:
        self._calls.put((call, args))

    def run(self) -> None:
        """Run what the journal's thread has handed over by now."""
        while not self._calls.empty():
            call, args = self._calls.get()
            call(*args)

    def wait(self, deferred: Deferred[Any]) -> Any:
        """Run what the journal's thread hands over until `deferred` fires; return or raise its result."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        while not results:
            call, args = self._calls.get(timeout=10)
            call(*args)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]


class Book:
    """A folder with a journal in it, opened as often as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pump = Pump()
        self._open_ones: list[Journal] = []

    def open(self, **options: Any) -> Journal:
        journal = Journal(self.folder, self.pump, **options)
        journal.open()
        self._open_ones.append(journal)
        return journal

    def append(self, journal: Journal, *names: str) -> None:
        for name in names:
            self.pump.wait(journal.append(event(name)))

    def files(self, pattern: str = "*.journal") -> list[Path]:
        return sorted(self.folder.glob(pattern))

    def close(self) -> None:
        for journal in self._open_ones:
            journal.close()


def event(name: str) -> JournalEvent:
    return JournalEvent.new("order_opened", {"name": name, "公司": "长宁"}, AT)


def names(journal: Journal, after: int = 0) -> list[str]:
    return [found.payload["name"] for _, found in journal.replay(after=after)]
