"""What has really happened to orders, for those who tell others of it: from memory what is new, the rest from disk.

An event of the journal is news only once Redis has had its say: it may refuse a change that came too late (a stale
state, a lease that is over), and tells which open order took a repeated call up (并单). So while Redis is away nobody
is told anything, and nothing that did not count is ever told.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from callback_scheduler.journal.journal import Durable, Journal, JournalEvent
from callback_scheduler.store.store import Ruling

EVENT_TYPES = ("order_opened", "order_changed", "order_noted", "notice_given")
_KEPT_IN_MEMORY = 5000

Letter = tuple[int, JournalEvent]


class Feed:
    """The events of `EVENT_TYPES` behind any position of the journal.

    `applied` gives the position up to which Redis has had its say, 0 while it is away; `verdicts` what it said.
    """

    def __init__(
        self,
        journal: Journal,
        applied: Callable[[], int],
        verdicts: Callable[[Sequence[JournalEvent]], list[Ruling]],
    ) -> None:
        self._journal, self._applied, self._verdicts = journal, applied, verdicts
        self._recent: deque[Letter] = deque()
        self._recent_after: int | None = None  # memory has all events behind this position, up to `_heard`
        self._heard = 0
        self._lock = threading.Lock()
        self._on_news: Callable[[], None] = lambda: None
        self.told_to: Callable[[], int] = lambda: self.end  # up to where nobody needs the journal any more

    def follow(self, on_news: Callable[[], None], told_to: Callable[[], int]) -> None:
        """Let `on_news` be called, in a thread of the ledger's, when there may be something to take.

        The journal is kept from behind `told_to()`, the position up to which everybody was told.
        """
        self._on_news, self.told_to = on_news, told_to

    @property
    def journal_id(self) -> str:
        """Which journal this is."""
        return self._journal.journal_id

    @property
    def end(self) -> int:
        """Position of the last record on disk."""
        return self._journal.position

    @property
    def settled_to(self) -> int:
        """Position up to which events can be taken; 0 while Redis is away."""
        return min(self._applied(), self._journal.position)

    def hear(self, group: Durable) -> None:
        """Take events that have just come to disk, in order; called in the journal's writer thread."""
        with self._lock:
            if self._recent_after is None:
                self._recent_after = group[0][0] - 1
            self._recent.extend(letter for letter in group if letter[1].event_type in EVENT_TYPES)
            while len(self._recent) > _KEPT_IN_MEMORY:
                self._recent_after = self._recent.popleft()[0]
            self._heard = group[-1][0]

    def look(self, applied: Sequence[JournalEvent]) -> None:
        """Note that Redis has had its say to more events; called in the applier's thread."""
        if any(event.event_type in EVENT_TYPES for event in applied):
            self._on_news()

    def take(self, after: int, limit: int) -> tuple[list[Letter], int]:
        """Return the next events behind `after`, `limit` at most, and the position up to which that is all.

        May read disk and Redis: call it in a thread. Raises JournalCorrupt or StoreUnavailable.
        """
        end = self.settled_to
        if end <= after:
            return [], after
        letters, end = self._behind(after, end, limit)
        judged = self._judged(letters)
        if self.settled_to < end:  # Redis was lost or emptied meanwhile, and with it who was refused
            return [], after
        return judged, letters[-1][0] if len(letters) == limit else end

    def event_at(self, position: int) -> JournalEvent | None:
        """Return the event at a position; None if none of ours is there. Reads as `take` does."""
        letters = self._judged(self._behind(position - 1, position, 1)[0])
        return letters[0][1] if letters else None

    def _behind(self, after: int, end: int, limit: int) -> tuple[list[Letter], int]:
        """Return the events behind `after`, and up to where that is all: `end`, or what was heard of before it."""
        with self._lock:
            if self._recent_after is not None and after >= self._recent_after:
                # Redis may have its say, read from disk, a moment before the writer's thread gets here.
                heard = max(after, min(end, self._heard))
                recent = (letter for letter in self._recent if after < letter[0] <= heard)
                return list(itertools.islice(recent, limit)), heard
        replayed = self._journal.replay(after=after, event_types=EVENT_TYPES)
        found = (letter for letter in replayed if not letter[1].is_forgotten)  # nobody can be told of it any more
        return list(itertools.islice(itertools.takewhile(lambda letter: letter[0] <= end, found), limit)), end

    def _judged(self, letters: list[Letter]) -> list[Letter]:
        """Return the events that count, those of repeated calls with the order that took them up."""
        counting = []
        verdicts = self._verdicts([event for _, event in letters]) if letters else []
        for (position, event), ruling in zip(letters, verdicts, strict=True):
            merged_into = ruling.counts_as if event.event_type == "order_opened" else ""
            if merged_into not in {"", event.payload["order_id"]}:
                event = replace(event, payload=event.payload | {"merged_into": merged_into})  # noqa: PLW2901
            if not ruling.was_refused:
                counting.append((position, event))
        return counting
