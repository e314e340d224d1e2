"""A rehearsal: the real timetable, ledger and store under a virtual clock, with people made up by seed.

Virtual time stands still while anything waits for journal or Redis, and then jumps to the next timer. So nothing in
it depends on how fast this machine is, and the same seed comes to the same end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as VirtualTime
from twisted.internet.task import deferLater

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Lease, Order, OrderDraft
from callback_scheduler.orders.verdict import Verdict, verdict
from callback_scheduler.rehearsal.people import Answer, answer, callers
from callback_scheduler.store.store import EventOutcome
from callback_scheduler.timetable.ladder import tiers_open
from callback_scheduler.timetable.ports import Note, Ports
from callback_scheduler.timetable.timetable import Timetable
from routing.clock import SHANGHAI, MovableClock
from routing.site import Site

_P = ParamSpec("_P")
_T = TypeVar("_T")
_HAND_OVER_EVERY_S = 900.0
# Nobody dies in a rehearsal, so leases need not be renewed all the time.
_LEASE_S = 600.0
_LEADERS_PICK_UP_S = 25.0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it: `orders` as they stood at `ended_at`, `calls` rang in, `events` are in the journal."""

    orders: tuple[Order, ...]
    ended_at: datetime
    calls: int
    events: int
    reminders_rung: int

    def verdicts(self, unit_id: str | None = None) -> Counter[Verdict]:
        """Return how many orders (of a unit) have which verdict."""
        return Counter(
            verdict(order, self.ended_at) for order in self.orders if unit_id in (None, order.unit_id)
        )

    @property
    def breaches(self) -> tuple[Order, ...]:
        """The orders frozen overdue, earliest deadline first."""
        frozen = (order for order in self.orders if order.overdue_at is not None)
        return tuple(sorted(frozen, key=lambda order: (order.due_at, order.order_id)))


async def rehearse(
    site: Site, folder: Path, reactor: Any, *, since: datetime, until: datetime, orders: int, seed: int
) -> Rehearsal:
    """Play `orders` calls between `since` and `until` (aware) up to the evening of the last day something is due.

    `folder` takes journal and store, and is empty. `reactor` is a running one.
    """
    drafts = callers(site, since, until, orders, seed)
    last_day = max((draft.deadline.due_at.date() for draft in drafts), default=until.date())
    ends_at = max(until, datetime.combine(last_day, site.settings.ladder.dial_until, SHANGHAI) + timedelta(minutes=30))
    stage = _Stage(site, folder, reactor, since, seed)
    await stage.ledger.start()
    try:
        return await stage.play(drafts, ends_at)
    finally:
        await stage.ledger.stop()


class WatchedLedger(Ledger):
    """A ledger that knows whether anybody waits for it."""

    def __init__(self, data_dir: Path, reactor: Any, **options: Any) -> None:
        super().__init__(data_dir, reactor, **options)
        self._awaited = 0
        self._idle: Deferred[None] | None = None

    async def idle(self) -> None:
        """Wait until nobody waits for journal or Redis any more."""
        while self._awaited:
            self._idle = Deferred()
            await self._idle

    def _in_thread(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        self._awaited += 1
        return self._done(work, *args, **kwargs).addBoth(self._came)

    def _done(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        return super()._in_thread(work, *args, **kwargs)

    async def _apply(self, event: JournalEvent) -> EventOutcome | None:
        self._awaited += 1
        try:
            return await super()._apply(event)
        finally:
            self._came(None)

    def _came(self, result: Any) -> Any:
        self._awaited -= 1
        if not self._awaited:
            # whoever got the answer may ask for the next thing before this fires
            self._reactor.callLater(0, self._tell_idle)
        return result

    def _tell_idle(self) -> None:
        if not self._awaited and self._idle is not None:
            waiting, self._idle = self._idle, None
            waiting.callback(None)


class _Stage:
    """Everything of one rehearsal."""

    def __init__(self, site: Site, folder: Path, reactor: Any, since: datetime, seed: int) -> None:
        self.ledger = WatchedLedger(folder, reactor)
        self._site = site
        self._seed = seed
        self._begins_at = since
        self._time: Any = VirtualTime()
        self._clock = MovableClock(since, self._time.seconds)
        self._phones: set[str] = set()
        self._calls = 0
        self._reminders_rung = 0
        self._looks_soon = False
        ports = Ports(
            ring_back=self._ring_back,
            remind_leader=self._remind_leader,
            notices=self,
            free_lines=lambda: max(0, site.settings.lines.count - site.settings.lines.spare - self._calls),
            phones_in_use=lambda: self._phones,
        )
        self._timetable = Timetable(
            self.ledger.orders,
            site.settings.ladder.model_copy(update={"lease_s": _LEASE_S}),
            site.directory,
            calendar=site.calendar,
            clock=self._clock,
            reactor=self._time,
            ports=ports,
        )

    async def play(self, drafts: list[OrderDraft], ends_at: datetime) -> Rehearsal:
        """Let all callers ring, and time pass up to `ends_at`."""
        waiting = [(self._seconds_of(draft.opened_at), draft) for draft in reversed(drafts)]
        ends_s = self._seconds_of(ends_at)
        self._timetable.wake()
        while True:
            await self.ledger.idle()
            next_s = min((call.getTime() for call in self._time.getDelayedCalls()), default=ends_s)
            if waiting and waiting[-1][0] <= next_s:
                opened_s, draft = waiting.pop()
                self._pass_until(opened_s)
                await self.ledger.open_order(draft)
                self._look_soon()
            elif next_s < ends_s:
                self._pass_until(next_s)
            else:
                break
        await self._timetable.stop()
        found = await self.ledger.orders.all_orders(drafts[0].opened_at, ends_at) if drafts else []
        events = self.ledger.status()["journal"]["position"]
        return Rehearsal(tuple(found), ends_at, len(drafts), events, self._reminders_rung)

    def _seconds_of(self, at: datetime) -> float:
        """Return a moment in seconds of virtual time, which timers are counted in to the last digit."""
        return (at - self._begins_at).total_seconds()

    def _pass_until(self, moment_s: float) -> None:
        self._time.advance(max(0.0, moment_s - self._time.seconds()))

    def _look_soon(self) -> None:
        """A node sweeps every few seconds; here it is enough that new orders are handed over now and then."""
        if not self._looks_soon:
            self._looks_soon = True
            self._time.callLater(_HAND_OVER_EVERY_S, self._look)

    def _look(self) -> None:
        self._looks_soon = False
        self._timetable.wake()

    # -- ports --------------------------------------------------------------------------------------------------------

    async def tell(self, kind: str, order: Order, extra: dict[str, Any], at: datetime) -> None:
        """Nobody is told of what did not happen."""

    async def _remind_leader(self, order: Order, number: str, note: Note) -> bool:
        self._reminders_rung += 1
        await deferLater(self._time, _LEADERS_PICK_UP_S)
        await note()
        return True

    async def _ring_back(self, order: Order, attempt: Attempt, lease: Lease) -> Attempt:
        tiers = self._site.directory.unit_tiers(order.unit_id, self._clock.now())[: tiers_open(order)]
        free = [one.number for tier in tiers for one in tier.specialists if one.number not in self._phones]
        if not free:
            return replace(attempt, outcome=AttemptOutcome.UNIT_BUSY, ended_at=self._clock.now())
        self._calls += 1
        self._phones.add(free[0])
        try:
            goes = answer(self._seed, order.order_id, len(order.attempts), len(tiers))
            return await self._call(order, replace(attempt, unit_number=free[0]), lease, goes)
        finally:
            self._calls -= 1
            self._phones.discard(free[0])

    async def _call(self, order: Order, attempt: Attempt, lease: Lease, goes: Answer) -> Attempt:
        begun_at = self._clock.now()
        rung_after_s = goes.enterprise_rung_after_s
        if rung_after_s is None:
            await deferLater(self._time, goes.takes_s)
            return replace(attempt, outcome=goes.outcome, ended_at=self._clock.now())
        await deferLater(self._time, rung_after_s)
        attempt = replace(attempt, enterprise_rung_at=self._clock.now())
        await self.ledger.orders.note_order(
            order.order_id, "attempt_phase",
            who=f"unit:{order.unit_id}:", attempt=attempt, epoch=lease.epoch, at=self._clock.now(),
        )  # fmt: skip
        await deferLater(self._time, goes.takes_s - rung_after_s)
        ended_at = self._clock.now()
        attempt = replace(attempt, outcome=goes.outcome, ended_at=ended_at)
        if goes.outcome is not AttemptOutcome.REACHED:
            return attempt
        talk_began_at = begun_at + timedelta(seconds=rung_after_s + goes.enterprise_answers_after_s)
        evidence = Evidence(
            call_id=f"rehearsal-{attempt.attempt_id}",
            unit_number=attempt.unit_number,
            unit_answered_at=begun_at,
            accepted_at=attempt.enterprise_rung_at,
            enterprise_number=attempt.number,
            enterprise_answered_at=talk_began_at,
            talk_began_at=talk_began_at,
            two_way_s=(ended_at - talk_began_at).total_seconds(),
        )
        return replace(attempt, evidence=evidence)

