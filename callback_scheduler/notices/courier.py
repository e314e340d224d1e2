"""Carries the events of the journal to one receiver: at least once, and in order for each order."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timezone
from typing import Any, Protocol

import structlog
from twisted.internet.defer import CancelledError, Deferred, DeferredList, ensureDeferred
from twisted.python.failure import Failure

from callback_scheduler.errors import (
    JournalError,
    NotDelivered,
    NoticeRefused,
    ReceiverClosed,
    StoreUnavailable,
    UnknownNotice,
)
from callback_scheduler.ledger.feed import Feed, Letter
from callback_scheduler.notices.lanes import Lane, Lanes
from callback_scheduler.notices.outbox import Cursor, DeadLetter, Outbox
from config.notices import Retry

log = structlog.get_logger()

_WINDOW = 500  # letters of one receiver in memory
_MOST_AHEAD = 10_000  # letters settled before an earlier one
_LONGEST_REASON = 500
_READ_AGAIN_S = 2.0
_UNWRITTEN_AT_MOST = 1000  # events of no interest that may be read again after a crash

InThread = Callable[..., "Deferred[Any]"]


class Receiver(Protocol):
    """Somebody who is told. `parallel` deliveries at once, each of up to `at_once` letters of one lane.

    A lane's first letter waits `gather_s` for more to go with it.
    """

    name: str
    parallel: int
    at_once: int
    gather_s: float
    starts_at_beginning: bool

    def lane(self, letter: Letter) -> str:
        """Return behind whose letters this one waits, "" if it is not for this receiver."""
        ...

    async def deliver(self, letters: Sequence[Letter]) -> None:
        """Return when the receiver has taken the letters; NotDelivered or NoticeRefused if it has not."""
        ...

    async def stop(self) -> None:
        """Let go of connections."""
        ...


class Courier:
    """Tells one receiver. All methods are called in the reactor's thread; `in_thread` runs what blocks."""

    def __init__(
        self,
        receiver: Receiver,
        feed: Feed,
        outbox: Outbox,
        reactor: Any,
        *,
        in_thread: InThread,
        retry: Retry,
        now: Callable[[], datetime],
        chance: random.Random | None = None,
    ) -> None:
        self.receiver = receiver
        self._feed, self._outbox, self._reactor, self._in_thread = feed, outbox, reactor, in_thread
        self._now = now
        self._lanes = Lanes(retry, receiver.parallel, receiver.gather_s, chance or random.Random())
        self._ahead: set[int] = set()  # settled before one that comes earlier
        self._read_to = self._saved_to = 0
        self._last_error = ""
        self._is_closed = False  # lets us in no more
        self._deliveries: set[Deferred[None]] = set()
        self._chores: set[Deferred[None]] = set()
        self._is_running = self._is_reading = self._is_saving = self._is_dirty = False
        self._timer: Any = None

    # -- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Go on where the cursor stands."""
        begins = 0 if self.receiver.starts_at_beginning else self._feed.end
        cursor: Cursor = await self._in_thread(self._outbox.open, self._feed.journal_id, self._feed.end, begins)
        self._read_to, self._ahead = cursor.position, set(cursor.ahead)
        self._saved_to = cursor.position
        self._is_running = True
        self.wake()

    async def stop(self) -> None:
        """Break off what is under way (it will be sent again) and put the cursor on disk."""
        if not self._is_running:
            return
        self._is_running = False
        self._look_again_in(None)
        deliveries = list(self._deliveries)
        for delivery in deliveries:
            delivery.cancel()
        await DeferredList([*deliveries, *self._chores])
        await self._save()
        await self.receiver.stop()

    def wake(self) -> None:
        """Look whether there is something to do; may be called at any time."""
        if not self._is_running:
            return
        has_room = self._lanes.waiting < _WINDOW // 2 and len(self._ahead) < _MOST_AHEAD
        if not self._is_reading and has_room and self._read_to < self._feed.settled_to:
            self._is_reading = True
            self._begin(self._read(), self._chores)
        now_s: float = self._reactor.seconds()
        for lane in self._lanes.begin(now_s):
            self._begin(self._deliver(lane), self._deliveries)
        moment_s = self._lanes.next_moment_s(now_s)
        self._look_again_in(None if moment_s is None else moment_s - now_s)

    def _begin(self, work: Coroutine[Any, Any, None], among: set[Deferred[None]]) -> None:
        begun = ensureDeferred(work)
        among.add(begun)

        def ended(outcome: object) -> None:
            among.discard(begun)
            if isinstance(outcome, Failure):
                log.error("courier_failed", receiver=self.receiver.name, traceback=outcome.getTraceback())
            # not at once: what ends while `wake` is at work would make it call itself
            self._reactor.callLater(0, self.wake)

        begun.addBoth(ended)

    def _look_again_in(self, delay_s: float | None) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._reactor.callLater(delay_s, self.wake) if delay_s is not None else None

    # -- reading ------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            letters, read_to = await self._in_thread(self._feed.take, self._read_to, _WINDOW - self._lanes.waiting)
        except Exception as wrong:  # a courier that reads no more would leave its receiver untold for ever
            if not isinstance(wrong, (JournalError, StoreUnavailable, OSError)):
                log.exception("notices_not_read", receiver=self.receiver.name)
            elif self._last_error != str(wrong):
                log.error("notices_not_read", receiver=self.receiver.name, error=str(wrong))
            self._last_error = str(wrong) or type(wrong).__name__
            self._reactor.callLater(_READ_AGAIN_S, self._read_again)
            return
        for letter in letters:
            name = "" if letter[0] in self._ahead else self.receiver.lane(letter)
            if name:
                self._lanes.put(name, letter, self._reactor.seconds())
        self._read_to, self._is_reading = read_to, False
        if self.position - self._saved_to > _UNWRITTEN_AT_MOST:
            self._note_progress()

    def _read_again(self) -> None:
        self._is_reading = False
        self.wake()

    # -- sending ------------------------------------------------------------------------------------------------------

    async def _deliver(self, lane: Lane) -> None:
        try:
            await self._tell(lane, list(lane.letters)[: self.receiver.at_once])
        except CancelledError:  # the node stops
            self._lanes.break_off(lane)

    async def _tell(self, lane: Lane, letters: list[Letter]) -> None:
        try:
            await self.receiver.deliver(letters)
        except CancelledError:
            raise
        except NoticeRefused as no:
            self._lanes.note_answer(0)
            if not await self._bury(letters, str(no)):
                return self._put_off(lane, NotDelivered(self._last_error))
        except Exception as wrong:  # whatever one letter does to us, the others go on
            if not isinstance(wrong, NotDelivered):
                log.exception("notice_failed", receiver=self.receiver.name, event_id=letters[0][1].event_id)
            is_over = self._lanes.is_hopeless(lane)
            if not (is_over and await self._bury(letters, f"given up after {lane.tries} tries: {wrong}")):
                return self._put_off(lane, wrong)
        else:
            self._lanes.note_answer(len(letters))
            self._last_error, self._is_closed = "", False
        self._ahead.update(self._lanes.settle(lane, len(letters)))
        return self._note_progress()

    def _put_off(self, lane: Lane, wrong: Exception) -> None:
        is_closed = isinstance(wrong, ReceiverClosed)
        if is_closed and not self._is_closed:
            # nothing is lost, but nobody is told any more: somebody must see to it
            log.error("receiver_closed", receiver=self.receiver.name, error=str(wrong), waiting=self._lanes.waiting)
        elif not is_closed and not self._lanes.failures:
            log.warning("receiver_away", receiver=self.receiver.name, error=str(wrong))
        self._is_closed = is_closed
        self._last_error = str(wrong) or type(wrong).__name__
        self._lanes.put_off(lane, self._reactor.seconds(), getattr(wrong, "retry_after_s", 0.0))

    async def _bury(self, letters: list[Letter], reason: str) -> bool:
        """Put the letters where an operator sees them; False if the disk does not take them."""
        died_at = self._now().astimezone(timezone.utc).isoformat()
        dead = [DeadLetter.of(letter, reason[:_LONGEST_REASON], died_at) for letter in letters]
        try:
            await self._in_thread(self._outbox.bury, dead)
        except OSError as full:
            self._last_error = f"a dead letter cannot be written: {full}"
            log.error("notice_not_buried", receiver=self.receiver.name, error=str(full))
            return False
        for one in dead:
            log.error(
                "notice_died", receiver=self.receiver.name, event_id=one.event_id, order_id=one.order_id, reason=reason
            )
        return True

    # -- the cursor ---------------------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """Every event up to here is settled: this receiver does not need the journal before it any more."""
        first = self._lanes.first_unsettled
        return self._read_to if first is None else first - 1

    def _note_progress(self) -> None:
        position = self.position
        self._ahead = {ahead for ahead in self._ahead if ahead > position}
        self._is_dirty = True
        if not self._is_saving:
            self._is_saving = True
            self._begin(self._save_until_clean(), self._chores)

    async def _save_until_clean(self) -> None:
        while self._is_dirty and self._is_running and await self._save():
            pass  # a cursor that could not be written is tried again with the next letter, and at the end
        self._is_saving = False

    async def _save(self) -> bool:
        self._is_dirty = False
        cursor = Cursor(self.position, frozenset(self._ahead))
        try:
            await self._in_thread(self._outbox.save, self._feed.journal_id, cursor)
        except OSError as full:
            self._is_dirty = True
            log.error("notice_cursor_not_written", receiver=self.receiver.name, error=str(full))
            return False
        self._saved_to = cursor.position
        return True

    # -- what an operator asks ----------------------------------------------------------------------------------------

    @property
    def dead(self) -> list[DeadLetter]:
        """The dead letters, oldest first."""
        return list(self._outbox.dead.values())

    async def retry(self, event_id: str) -> None:
        """Send a dead letter once more; UnknownNotice, NotDelivered or NoticeRefused if it stays dead."""
        letter = self._outbox.dead.get(event_id)
        if letter is None:
            raise UnknownNotice(event_id)
        event = await self._in_thread(self._feed.event_at, letter.position)
        if event is None or event.event_id != event_id:
            raise UnknownNotice(f"{event_id} is not in the journal any more")
        await self.receiver.deliver([(letter.position, event)])
        await self._in_thread(self._outbox.settle, event_id)
        log.info("notice_revived", receiver=self.receiver.name, event_id=event_id)

    async def forget(self, before: datetime) -> None:
        """Drop the letters that died before `before`; OSError if that is not on disk."""
        if dropped := await self._in_thread(self._outbox.forget, before):
            log.warning("dead_letters_forgotten", receiver=self.receiver.name, letters=dropped)

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know."""
        return {
            "receiver": self.receiver.name,
            "is_up": not self._lanes.failures,
            "is_closed": self._is_closed,
            "last_error": self._last_error,
            "position": self.position,
            "waiting": self._lanes.waiting,
            "delivered": self._lanes.arrived,
            "failures_in_a_row": self._lanes.failures,
            "dead_letters": len(self._outbox.dead),
        }
