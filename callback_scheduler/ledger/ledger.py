"""The ledger: the one thing flows and node talk to about what happened and what is owed.

Journal first, Redis second (design rule 15). While Redis is away calls go on: events wait in the journal, orders keep
their own numbers, and if an open order turns out to have taken one up, its number still leads there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import structlog
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from callback_scheduler.errors import EmbeddedRedisError, JournalClosed, StartCalledOff, StoreUnavailable
from callback_scheduler.journal.journal import Journal, JournalEvent
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.journal.segments import RESTORED_MARK
from callback_scheduler.ledger import retention
from callback_scheduler.ledger.applier import Applied, Applier
from callback_scheduler.ledger.feed import EVENT_TYPES, Feed
from callback_scheduler.ledger.node_number import NodeNumber
from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.ledger.personal import midnight_before, seal_of
from callback_scheduler.ledger.retention import Forgotten
from callback_scheduler.ledger.watchman import OF_ORDERS, Watchman
from callback_scheduler.orders.fields import instant, to_payload
from callback_scheduler.orders.number_fence import read_fence
from callback_scheduler.orders.numbers import OrderNumbers
from callback_scheduler.orders.order import OpenedOrder, OrderDraft
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.store.expiring_texts import ExpiringTexts
from callback_scheduler.store.store import EventOutcome, Store

log = structlog.get_logger()

# The caller waits for the number in silence: longer than this is worse than a number that is merged later.
MERGE_ANSWER_S = 1.0
# A node that starts is given this long to see the open orders of before, so that repeated calls find them.
_START_PATIENCE_S = 2.0
_SETTLE_LOOK_S = 0.02
_LONGEST_REWRITE_S = 120.0
# Events somebody waits for Redis to have its say about.
_ANSWERED = ("order_opened", "order_changed", "order_noted")
_TOLD = object()
OnEvent = Callable[[JournalEvent, EventOutcome], None]
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Ledger:
    """Journal and store of one node below `data_dir`; `redis_url` None starts a Redis of our own.

    `orders` reads and changes what is owed. `reactor` gives time, callFromThread and nothing else. All methods are
    called in the reactor's thread.
    """

    def __init__(
        self,
        data_dir: Path,
        reactor: Any,
        *,
        node_number: int = 1,
        redis_url: str | None = None,
        key_prefix: str = "hotline:",
        calls_kept: int = 100_000,
    ) -> None:
        self._reactor = reactor
        self._data_dir, self._numbers = data_dir, OrderNumbers(node_number)
        self._embedded = EmbeddedRedis(data_dir / "redis") if redis_url is None else None
        url = self._embedded.url if self._embedded else str(redis_url)
        self._store = Store.connect(url, prefix=key_prefix, calls_kept=calls_kept)
        self._journal = Journal(data_dir / "journal", reactor, on_durable=self._offer, seal_of=seal_of)
        self._watchman = Watchman(self._store, has_own_redis=self._embedded is not None, calls_kept=calls_kept)
        self._applier = Applier(self._journal, self._store, self._watchman, self._on_applied)
        self._answers: dict[str, Deferred[EventOutcome | None]] = {}
        self.orders = OrderKeeping(
            self._store, self._apply, self._in_thread, node_number, lambda: self._applier.is_rebuilding
        )
        # nobody else has a Redis of our own
        self._node_number = NodeNumber(self._store.node_claims, node_number, data_dir) if redis_url else None
        self._threads = ThreadPool(minthreads=0, maxthreads=4, name="ledger")
        self._is_closing = False
        self._opening: Deferred[bool] | None = None
        self.feed = Feed(self._journal, self._applied_to, self._store.verdicts)
        self._on_event: OnEvent | None = None
        self._untold: dict[str, None] = {}  # ids of events of this process that Redis has had no say about

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the journal and begin to bring Redis up to it.

        Raises JournalLocked or JournalCorrupt, NodeNumberTaken, and EmbeddedRedisError if there is no redis-server at
        all. A Redis that does not come up is logged, and waited for behind the scenes.
        """
        self._threads.start()
        self._opening = self._in_thread(self._open)
        try:
            redis_answers = await self._opening
        except BaseException:
            await self._close()
            raise
        if self._is_closing:
            raise StartCalledOff("the ledger was told to stop while it was being opened")
        self._applier.start()
        if redis_answers:
            await self.settled(_START_PATIENCE_S)
        log.info("ledger_started", **self.status())

    def _open(self) -> bool:
        """Open the journal, start Redis, learn the numbers given so far; return whether Redis answers."""
        self._journal.open()
        self._numbers.stay_behind(read_fence(self._data_dir))
        for position, event in self._journal.replay(event_types=OF_ORDERS):
            self._numbers.note(event.payload["order_id"])
            self._watchman.learn(position, event)
        if self._embedded:
            try:
                self._embedded.start()
            except EmbeddedRedisError as absent:
                if not self._embedded.is_trying:
                    raise
                log.error("embedded_redis_not_ready", error=str(absent))
        if self._node_number:
            self._node_number.start(self._journal.journal_id)
        try:
            for number in self._store.highest_numbers():  # a new journal must not give old numbers again
                self._numbers.note(number)
        except StoreUnavailable as away:
            log.warning("redis_away_at_start", error=str(away))
            return False
        return True

    async def stop(self) -> None:
        """Write what waits, then let go of everything; what is not in Redis yet is in the journal."""
        if not self._threads.started:
            return  # never started, or failed to
        await self._close()
        log.info("ledger_stopped", position=self._journal.position, events_waiting=self._applier.waiting)

    async def _close(self) -> None:
        if self._is_closing:
            return  # told to stop while the start was failing: each of both comes here
        self._is_closing = True
        if self._embedded:
            self._embedded.call_off()
        if self._node_number:
            self._node_number.call_off()
        if self._opening is not None and not self._opening.called:
            # what is opened after it was closed would stay open for ever, and its threads keep the process alive
            await self._opened()
        await self._in_thread(self._journal.close)
        await self._in_thread(self._applier.stop)
        if self._node_number:
            await self._in_thread(self._node_number.stop)
        await self._in_thread(self._store.close)
        if self._embedded:
            await self._in_thread(self._embedded.stop)
        self._threads.stop()

    async def _opened(self) -> None:
        """Wait until `_open` has come to its end, whatever that is; who opened hears of it first."""
        over: Deferred[None] = Deferred()

        def note(result: Any) -> Any:
            self._reactor.callLater(0, over.callback, None)
            return result

        assert self._opening is not None
        self._opening.addBoth(note)
        await over

    # -- writing --------------------------------------------------------------------------------------------------

    async def write(self, event_type: str, payload: dict[str, Any], at: datetime, event_id: str = "") -> None:
        """Put an event on disk; Redis follows by itself. Raises JournalFull or JournalWriteFailed if it is not.

        What may be written twice, by a node that died in between, is named by an `event_id` of its own.
        """
        event = JournalEvent.new(event_type, payload, at)
        await self._journal.append(replace(event, event_id=event_id) if event_id else event)

    async def open_order(self, draft: OrderDraft) -> OpenedOrder:
        """Put an order on disk and return the number that counts: an open order of number and matter takes it up.

        Raises JournalFull or JournalWriteFailed if it is not on disk. Without an answer of Redis within a second
        the order has its own number.
        """
        order_id = self._numbers.next(draft.opened_at)
        event = JournalEvent.new("order_opened", to_payload(draft, order_id), draft.opened_at)
        outcome = await self._apply(event)
        if outcome is None or outcome.order_id in {"", order_id} or outcome.status == "refused":
            return OpenedOrder(order_id, False, draft.deadline.due_at, draft.deadline.is_provisional)
        log.info("order_merged", order_id=order_id, merged_into=outcome.order_id)
        return OpenedOrder(outcome.order_id, True, instant(outcome.due_at), outcome.is_provisional)

    async def _apply(self, event: JournalEvent) -> EventOutcome | None:
        """Put an event on disk and return what Redis said to it; None if that is not known within a second."""
        answer: Deferred[EventOutcome | None] = Deferred()
        self._answers[event.event_id] = answer
        try:
            await self._journal.append(event)
            if not self._applier.is_up:
                return None
            return await answer.addTimeout(MERGE_ANSWER_S, self._reactor)
        except TimeoutError:
            log.warning("answer_late", event_type=event.event_type, order_id=event.payload["order_id"])
            return None
        finally:
            del self._answers[event.event_id]

    # -- reading; StoreUnavailable while Redis is away; of orders in `orders` ------------------------------------

    async def calls(self, limit: int = 100, after: str = "") -> list[dict[str, Any]]:
        """Return the last call records, newest first; with `after`, the id of a call, those older than it."""
        return await self._in_thread(self._store.records.calls, limit, after)

    async def calls_named(self, call_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the records of calls, in the order of their ids; those that are not kept are left out."""
        return await self._in_thread(self._store.records.calls_named, call_ids)

    async def surveys(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the last answers to the survey, newest first."""
        return await self._in_thread(self._store.records.surveys, limit)

    async def bad_surveys(self, since: datetime) -> list[dict[str, Any]]:
        """Return the answers to the survey from `since` on that somebody must see to and nobody has, newest first."""
        return await self._in_thread(self._store.records.bad_surveys, since)

    async def read(self, work: Callable[[Store], _T]) -> _T:
        """Let `work` read the store in a thread, and return what it returns: a report, which looks at everything."""
        return await self._in_thread(work, self._store)

    async def history(self, *event_types: str) -> list[JournalEvent]:
        """Return all events of these types in the journal that are not forgotten, in the order they were written."""
        return await self._in_thread(
            lambda: [event for _, event in self._journal.replay(event_types=event_types) if not event.is_forgotten]
        )

    async def forget(self, before: datetime, at: datetime, archive: Path | None) -> Forgotten:
        """Forget settled orders (a thousand at most), calls, surveys and files of the journal of before `before`.

        Whole days are forgotten, in Shanghai. When no settled order is left, the keys of these days are thrown away,
        and what the journal says of them cannot be read any more by anybody; and our own Redis writes its file anew.
        Files of the journal go to `archive`, or are deleted if that is None; those stay that a receiver of notices has
        not been told all of. Removing the recordings is left to the caller.
        Raises StoreUnavailable, JournalWriteFailed, and OSError if a file cannot be moved or written.
        """
        before = midnight_before(before)
        old = await self._in_thread(retention.settled_before, self._store, before)
        for order in old:
            await self.write("order_forgotten", {"order_id": order.order_id}, at)
        await self.write("records_forgotten", {"before_ms": round(before.timestamp() * 1000)}, at)
        if not await self.settled():
            raise StoreUnavailable("Redis is behind: files of the journal stay until it has what they tell")
        kept: frozenset[KeyName] | None = None
        if len(old) < retention.ORDERS_AT_ONCE:
            kept = await self._in_thread(retention.throw_away, self._journal, self._store, before)
            await self._leave_no_trace()
            (self._journal.folder / RESTORED_MARK).unlink(missing_ok=True)
        found = await self._in_thread(retention.old_segments, self._journal, self._store, before)
        segments = [segment for segment in found if segment.last <= self.feed.told_to()]
        files = await self._in_thread(retention.archive, self._journal, segments, archive)
        recordings = {path for order in old for path in retention.recordings_of(order)}
        return Forgotten(tuple(order.order_id for order in old), tuple(sorted(recordings)), files, before, kept)

    @property
    def was_restored(self) -> bool:
        """Whether the journal came from a backup, and nothing was forgotten since."""
        return (self._journal.folder / RESTORED_MARK).exists()

    async def _leave_no_trace(self) -> None:
        """Let our own Redis write its file anew, without what it was told to delete; another's is not ours to touch."""
        if self._embedded:
            await self._until_file_is_written()  # one that is under way was begun before the last deletion
            await self._in_thread(self._store.leftovers.write_file_anew)
            await self._until_file_is_written()
            await self._in_thread(self._store.leftovers.check_file)
            await self._in_thread(self._embedded.drop_leftover_files)

    async def _until_file_is_written(self) -> None:
        give_up_at = self._reactor.seconds() + _LONGEST_REWRITE_S
        while await self._in_thread(self._store.leftovers.is_writing_file):
            if self._reactor.seconds() > give_up_at:
                raise StoreUnavailable("Redis is still writing its file anew: what was forgotten is in the old one")
            await deferLater(self._reactor, _SETTLE_LOOK_S)

    async def settled(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that is on disk is in Redis too; False if that takes longer than `timeout_s`."""
        give_up_at = self._reactor.seconds() + timeout_s
        applier = self._applier
        while not applier.is_up or applier.is_rebuilding or applier.waiting or self._journal.queued:
            if self._reactor.seconds() > give_up_at:
                return False
            await deferLater(self._reactor, _SETTLE_LOOK_S)
        return True

    def expiring_texts(self, name: str) -> ExpiringTexts:
        """Return a place for short-lived texts, whose keys begin with `name`."""
        return ExpiringTexts(self._store, self._in_thread, name)

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know: journal, Redis, and how many events wait on the way."""
        redis = self._applier.status() | {"kind": "embedded" if self._embedded else "redis_url"}
        if self._embedded:
            redis |= {"pid": self._embedded.pid, "starts": self._embedded.starts}
        taken_by = self._node_number.held_by if self._node_number else ""
        return {
            "journal": self._journal.status(), "redis": redis, "events_waiting": self._applier.waiting,
            "node_number_taken_by": taken_by,
        }  # fmt: skip

    # -- between threads ------------------------------------------------------------------------------------------

    def watch(self, on_event: OnEvent) -> None:
        """Let `on_event` hear of each event of EVENT_TYPES that this node writes, once it counts.

        It is called in the reactor's thread, never for what is applied again.
        """
        self._on_event = on_event

    def _offer(self, group: list[tuple[int, JournalEvent]]) -> None:
        self.feed.hear(group)
        if self._on_event is not None:
            self._untold |= {event.event_id: None for _, event in group if event.event_type in EVENT_TYPES}
        self._applier.offer(group)

    def _applied_to(self) -> int:
        # what was refused is not known again before all is built anew
        return self._applier.applied if self._applier.is_up and not self._applier.is_rebuilding else 0

    def _on_applied(self, applied: Applied) -> None:
        self.feed.look([event for event, _ in applied])
        news = [pair for pair in applied if self._untold.pop(pair[0].event_id, _TOLD) is not _TOLD]
        if self._on_event is not None and news:
            self._reactor.callFromThread(self._tell, news)
        answered = [(event, outcome) for event, outcome in applied if event.event_type in _ANSWERED]
        if answered:
            self._reactor.callFromThread(self._answer, answered)

    def _tell(self, news: list[tuple[JournalEvent, EventOutcome]]) -> None:
        for event, outcome in news:
            if self._on_event is not None and outcome.status != "refused":
                self._on_event(event, outcome)

    def _answer(self, answered: list[tuple[JournalEvent, EventOutcome]]) -> None:
        for event, outcome in answered:
            if outcome.status == "refused" and event.event_type != "order_opened":
                self._note_refusal(event, outcome)
            else:
                self._give(event, outcome)

    def _give(self, event: JournalEvent, outcome: EventOutcome | None) -> None:
        """Tell whoever waits for it what Redis said to an event; None: nobody knows yet what it will count as."""
        waiting = self._answers.get(event.event_id)
        if waiting is not None and not waiting.called:
            waiting.callback(outcome)

    def _note_refusal(self, event: JournalEvent, refused: EventOutcome) -> None:
        """Write that an event did not count, so that it does not count either when Redis is built anew.

        Whoever waits is told afterwards: a refusal that is not on disk may yet turn out to have been none.
        """
        payload = {"event_id": event.event_id, "event_type": event.event_type, "why": refused.order_id}

        def failed(failure: Failure) -> None:
            log.error("refusal_not_written", event_id=event.event_id, error=str(failure.value))
            self._give(event, None)

        try:
            noted = self._journal.append(JournalEvent.new("event_refused", payload, event.at))
        except JournalClosed:
            return
        noted.addCallbacks(lambda _: self._give(event, refused), failed)

    def _in_thread(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        return deferToThreadPool(self._reactor, self._threads, work, *args, **kwargs)
