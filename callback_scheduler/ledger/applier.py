"""Carries events from the journal to Redis, in order, in a thread of its own.

Redis may be away for a second or a night: what waits is read from the journal again when it is back. Where to begin
is asked of Redis at each reconnection, since it may have lost its last second or everything; if it is emptied
while we are connected, the script answers `gap`, or the look at the marker in a quiet moment finds it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import structlog

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.journal.journal import Durable, Journal, JournalEvent
from callback_scheduler.ledger.watchman import Watchman
from callback_scheduler.store.store import EventOutcome, Store

log = structlog.get_logger()

_BATCH = 200
_KEPT_IN_MEMORY = 20_000
_QUIET_LOOK_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0

Applied = list[tuple[JournalEvent, EventOutcome]]


class Applier:
    """Applies every event of `journal` to `store`; `on_applied` hears of it, in the applier's thread."""

    def __init__(
        self, journal: Journal, store: Store, watchman: Watchman, on_applied: Callable[[Applied], None]
    ) -> None:
        self.is_up = False
        self.last_error = ""
        self.changed_at_s = time.monotonic()  # when Redis came or went
        self.applied = 0  # position of the last event known to be in Redis
        self.rebuilds = 0  # how often Redis was found without what it once had
        self.is_same_journal = True  # False: Redis once had another record where the journal has this one
        self.is_rebuilding = False  # what is in Redis is on its way to what the journal says
        self._journal, self._store, self._on_applied = journal, store, on_applied
        self._watchman = watchman
        self._recent: deque[tuple[int, JournalEvent]] = deque()
        self._from_disk: Iterator[tuple[int, JournalEvent]] | None = None
        self._refused_before: dict[str, str] = {}
        self._wake = threading.Condition()
        self._stopping = threading.Event()
        self._has_begun = False
        self._thread = threading.Thread(target=self._run, name="applier", daemon=True)

    @property
    def waiting(self) -> int:
        """How many events are on disk and not yet known to be in Redis."""
        return max(0, self._journal.position - self.applied)

    def start(self) -> None:
        """Begin; the journal is open."""
        # Whatever the marker says, nothing beyond this was written by this process.
        self.applied = self._journal.position
        self._thread.start()

    def stop(self) -> None:
        """End; blocks for at most one answer of Redis. What waits is in the journal."""
        self._stopping.set()
        with self._wake:
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def offer(self, group: Durable) -> None:
        """Take events that have just come to disk, in order; called in the journal's thread."""
        with self._wake:
            if len(self._recent) + len(group) > _KEPT_IN_MEMORY:
                self._recent.clear()  # Redis is away for long: they will be read from disk
            self._recent.extend(group)
            self._wake.notify()

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                self._begin()
                pause_s = _FIRST_PAUSE_S
                while not self._stopping.is_set() and self._carry():
                    pass
            except StoreUnavailable as away:
                self._note_absence(str(away))
            except Exception as fault:
                # A thread that dies in silence would leave Redis behind for ever; an operator must hear of it.
                log.exception("applier_failed", applied=self.applied)
                self._note_absence(f"{type(fault).__name__}: {fault}")
                pause_s = _LONGEST_PAUSE_S
            self._stopping.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _begin(self) -> None:
        """Find out from where on Redis lacks events."""
        marker = self._store.applied(self._journal.journal_id)
        if not self._has_begun:
            self._greet(marker)
        elif marker < self.applied:
            self._rebuild()
            log.warning("redis_lost_events", applied=self.applied, marker=marker)
        start = max(min(marker, self.applied), self._journal.segments[0].first - 1)  # what is archived was forgotten
        if start != marker:
            self._store.resume_from(self._journal.journal_id, start)
        self.applied, self._from_disk, self._has_begun = start, None, True
        if not self.is_up:
            self._watchman.begin(self._journal.journal_id)
            # before an event is judged by what is not there any more; an emptied Redis answers `gap` to the next one
            self._watchman.look(start, on_empty=self._doubt)
            self.is_up, self.last_error, self.changed_at_s = True, "", time.monotonic()
            log.info("redis_up", events_waiting=self.waiting)

    def _doubt(self) -> None:
        self.is_rebuilding = True

    def _rebuild(self) -> None:
        self._doubt()
        self.rebuilds += 1

    def _greet(self, marker: int) -> None:
        marked, chain = self._store.chain(self._journal.journal_id)
        if chain and marked == marker <= self.applied and not self._journal.had_chain(marker, chain):
            self.is_same_journal = False
            log.error("journal_was_exchanged", position=marker, chain_in_redis=chain)
        if marker > self.applied:
            # The journal was set back to an older copy. Its new events are new to Redis all the same: ids tell.
            log.error("redis_is_ahead_of_journal", marker=marker, journal_position=self.applied)
        elif marker == 0 and self.applied > 0:
            self._rebuild()
            log.warning("redis_rebuild_begun", events=self.applied)

    def _carry(self) -> bool:
        """Apply what waits, or look whether the marker still stands; False if Redis lacks earlier events."""
        batch = self._next_batch()
        if not batch and self._store.applied(self._journal.journal_id) != self.applied:
            return False
        if batch and not self._apply(batch):
            return False
        if self.waiting:
            return True
        self.is_rebuilding = False
        return self._watchman.look(self.applied, on_empty=self._doubt)

    def _apply(self, batch: Durable) -> bool:
        outcomes = self._store.apply(self._journal.journal_id, batch)
        done: Applied = []
        for (position, event), outcome in zip(batch, outcomes, strict=True):
            if outcome.status == "gap":
                break
            if outcome.status == "refused":
                # One that is too late or fenced off is told to whoever sent it; the others are faults of ours.
                level = log.info if outcome.order_id.startswith(("stale: ", "fenced: ")) else log.error
                level("event_refused", event_id=event.event_id, position=position, error=outcome.order_id)
            self.applied = position
            done.append((event, outcome))
            self._watchman.learn(position, event)
        self._on_applied(done)
        return len(done) == len(batch)

    def _next_batch(self) -> Durable:
        """Return the events behind the last applied one; waits for some, and returns none after a quiet second."""
        with self._wake:
            if self._journal.position <= self.applied and not self._stopping.is_set():
                self._wake.wait(_QUIET_LOOK_S)
            while self._recent and self._recent[0][0] <= self.applied:
                self._recent.popleft()
            if self._recent and self._recent[0][0] == self.applied + 1:
                self._from_disk = None
                return list(itertools.islice(self._recent, _BATCH))
        if self._journal.position <= self.applied:
            return []
        return self._next_from_disk()

    def _next_from_disk(self) -> Durable:
        if self._from_disk is None:
            refusals = self._journal.replay(after=self.applied, event_types=("event_refused",))
            self._refused_before = {event.payload["event_id"]: event.payload["why"] for _, event in refusals}
            self._from_disk = self._journal.replay(after=self.applied)
        batch = list(itertools.islice(self._from_disk, _BATCH))
        if not batch:  # it ended where the journal ended when it was begun
            self._from_disk = None
        return [(position, self._as_it_was(event)) for position, event in batch]

    def _as_it_was(self, event: JournalEvent) -> JournalEvent:
        """What was refused once had come too late, or without the lease; an emptied Redis does not know that.

        What is forgotten has no effect any more.
        """
        if event.is_forgotten:
            return replace(event, event_type="event_forgotten")
        why = self._refused_before.get(event.event_id)
        return event if why is None else replace(event, event_type="order_event_refused", payload={"why": why})

    def _note_absence(self, error: str) -> None:
        if self.is_up or not self.last_error:
            log.warning("redis_away", error=error)
        if self.is_up:
            self.changed_at_s = time.monotonic()
        self.is_up, self.last_error = False, error

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know."""
        return {
            "is_up": self.is_up,
            "since_s": round(time.monotonic() - self.changed_at_s, 1),
            "last_error": self.last_error,
            "applied": self.applied,
            "rebuilds": self.rebuilds,
            "is_same_journal": self.is_same_journal,
            "is_rebuilding": self.is_rebuilding,
            "orders_lost": self._watchman.orders_lost,
            "may_evict": self._watchman.may_evict,
        }
