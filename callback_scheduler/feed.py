"""The order events of the journal for those who follow it: the latest from memory, older ones from disk."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable

from callback_scheduler.journal import Durable, Journal, JournalEvent

EVENT_TYPES = ("order_opened", "order_changed", "order_noted", "notice_given")
_KEPT_IN_MEMORY = 5000

Letter = tuple[int, JournalEvent]


class Feed:
    """Gives the events of `EVENT_TYPES` behind any position; `on_news` is called in the journal's writer thread."""

    def __init__(self, journal: Journal, on_news: Callable[[], None]) -> None:
        self._journal = journal
        self._on_news = on_news
        self._recent: deque[Letter] = deque()
        self._recent_after: int | None = None  # memory has all events behind this position, up to `_heard`
        self._heard = 0
        self._lock = threading.Lock()

    @property
    def journal_id(self) -> str:
        """Which journal this is."""
        return self._journal.journal_id

    @property
    def end(self) -> int:
        """Position of the last record on disk."""
        return self._journal.position

    def hear(self, group: Durable) -> None:
        """Take events that have just come to disk, in order; called in the journal's writer thread."""
        wanted = [letter for letter in group if letter[1].event_type in EVENT_TYPES]
        with self._lock:
            if self._recent_after is None:
                self._recent_after = group[0][0] - 1
            self._recent.extend(wanted)
            while len(self._recent) > _KEPT_IN_MEMORY:
                self._recent_after = self._recent.popleft()[0]
            self._heard = group[-1][0]
        if wanted:
            self._on_news()

    def take(self, after: int, limit: int) -> tuple[list[Letter], int]:
        """Return the next events behind `after`, `limit` at most, and the position up to which that is all.

        May read the disk: call it in a thread. Raises JournalCorrupt.
        """
        with self._lock:
            if self._recent_after is not None and after >= self._recent_after:
                behind = (letter for letter in self._recent if letter[0] > after)
                return _complete(list(itertools.islice(behind, limit)), limit, max(after, self._heard))
        end = self._journal.position
        found = self._journal.replay(after=after, event_types=EVENT_TYPES)
        return _complete(list(itertools.islice(found, limit)), limit, max(after, end))

    def event_at(self, position: int) -> JournalEvent | None:
        """Return the event at a position; None if it is not one of ours. Reads the disk."""
        for found, event in self._journal.replay(after=position - 1, event_types=EVENT_TYPES):
            return event if found == position else None
        return None


def _complete(letters: list[Letter], limit: int, end: int) -> tuple[list[Letter], int]:
    if len(letters) == limit:
        return letters, letters[-1][0]
    return letters, max(end, letters[-1][0]) if letters else end
