"""The timetable: sweeps over all open orders, every few seconds and at the very moment when something is due.

APScheduler only holds three sweeps, which may be run at any time and any number of times (design rule 16). It counts by
the wall clock, which may jump, so two things are done otherwise than it would do by itself. Its triggers do not add
up intervals (after a jump of ten years it would go through sixty million of them, one by one); and after a jump its
jobs are planned anew (after one back it would wait until the old time comes again).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from apscheduler.executors.base import BaseExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.twisted import TwistedScheduler
from apscheduler.triggers.base import BaseTrigger
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, ensureDeferred

from callback_scheduler.errors import SchedulerError
from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.orders.order import Order
from callback_scheduler.timetable.clock_watch import ClockWatch
from callback_scheduler.timetable.ladder_steps import LadderSteps
from callback_scheduler.timetable.ports import Ports
from callback_scheduler.timetable.redating import redate_all
from callback_scheduler.timetable.under_way import CallbackRequest, CallbacksUnderWay
from callback_scheduler.timetable.waiting_orders import WaitingOrders
from config.errors import ConfigError
from config.ladder import LadderSettings
from routing.calendar import Calendar
from routing.clock import SHANGHAI, Clock
from routing.directory import Directory

log = structlog.get_logger()

_SWEEPS_LEASE = "sweeps"  # held in the way of an order's
_LOOK_AT_CLOCK_EVERY_S = 1.0
_READ_CALENDAR_EVERY_S = 600.0
_KEEP_HOUSE_EVERY_S = 300.0
_BREATH_S = 1.0  # between a sweep and the next that something asks for


class _Every(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """Fires now, and again `interval_s` after whatever time it is then."""

    def __init__(self, interval_s: float) -> None:
        self._interval = timedelta(seconds=interval_s)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return now if previous_fire_time is None else now + self._interval


class _InReactor(BaseExecutor):  # type: ignore[misc]  # apscheduler has no types
    """Runs a job in the reactor's thread, and counts it as running until its Deferred fires."""

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        job.func().addBoth(lambda _: self._run_job_success(job.id, []))


class Timetable:
    """Keeps the ladder for all open orders; several nodes may each have one on the same store.

    `reactor` gives callLater, callFromThread and seconds, which must not jump with the wall clock. `read_calendar`
    returns the calendar as the site has it now (ConfigError: the one before stays); `on_calendar` hears of a new one.
    """

    def __init__(
        self,
        orders: OrderKeeping,
        ladder: LadderSettings,
        directory: Directory,
        *,
        calendar: Calendar,
        clock: Clock,
        reactor: Any,
        ports: Ports,
        read_calendar: Callable[[], Calendar] | None = None,
        on_calendar: Callable[[Calendar], None] = lambda calendar: None,
    ) -> None:
        self.calendar = calendar
        self._orders = orders
        self._ladder = ladder
        self._clock = clock
        self._reactor = reactor
        self._ports = ports
        self._read_calendar = read_calendar or (lambda: self.calendar)
        self._on_calendar = on_calendar
        self._watch = ClockWatch(clock, reactor.seconds, ladder.clock_jump_s)
        self._sweeps = LadderSteps(orders, ladder, directory, clock, ports)
        self._dials = CallbacksUnderWay(
            orders, ladder, clock=clock, reactor=reactor, ports=ports, on_ended=self._on_ended,
            may_freeze=lambda: not self._watch.is_doubted,
        )
        self._waiting = WaitingOrders(
            orders, ladder, directory, clock=clock, watch=self._watch, ports=ports, dials=self._dials
        )
        self._one_at_a_time = DeferredLock()
        self._scheduler: TwistedScheduler | None = None
        self._timers: dict[str, Any] = {}
        self._is_stopping = False
        self._whole_sweep_at_s: float | None = None  # by the reactor's clock: when the last whole sweep ended

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: the first sweep, which catches up, runs at once."""
        self._scheduler = scheduler = TwistedScheduler(
            reactor=self._reactor,
            timezone=SHANGHAI,
            jobstores={"default": MemoryJobStore()},
            executors={"default": _InReactor()},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        scheduler.add_job(self._sweep_unless_busy, _Every(self._ladder.sweep_every_s), id="orders")
        scheduler.add_job(self._sweep_calendar, _Every(_READ_CALENDAR_EVERY_S), id="calendar")
        scheduler.add_job(self._keep_house, _Every(_KEEP_HOUSE_EVERY_S), id="house")
        scheduler.start()
        self._whole_sweep_at_s = self._reactor.seconds()  # none is late before it could be
        self._look_at_clock_again()
        log.info("timetable_started", sweep_every_s=self._ladder.sweep_every_s, calendar=self.calendar.version)

    async def stop(self) -> None:
        """Begin nothing more; returns when the sweep, the callbacks and the reminders under way have ended."""
        self._is_stopping = True
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None:
            scheduler.shutdown(wait=False)
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        await self._one_at_a_time.run(lambda: None)
        await DeferredList([*self._sweeps.ringing], consumeErrors=True)
        await self._dials.stop()
        log.info("timetable_stopped")

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know."""
        return {
            "dialling": sorted(self._dials.under_way),
            "calendar": self.calendar.version,
            "clock_jumped_s": self._watch.jumped.total_seconds(),
            "is_clock_doubted": self._watch.is_doubted,
            "swept_s_ago": self._swept_s_ago(),
            "sweep_every_s": self._ladder.sweep_every_s,
            "oldest_undialled_s": round(self._waiting.oldest_undialled_s(self._clock.now()), 1),
        }

    def _swept_s_ago(self) -> float | None:
        if self._whole_sweep_at_s is None:
            return None
        return round(float(self._reactor.seconds()) - self._whole_sweep_at_s, 1)

    # -- when to sweep --------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Sweep soon: something has changed, an order has come."""
        self._at_latest(_BREATH_S, self._sweep_unless_busy)

    def _on_ended(self, order_id: str, order: Order | None) -> None:
        self._waiting.note(order_id, order)
        if order is None:
            self.wake()  # it is not settled yet
        self._at_latest(_BREATH_S, self._dial_unless_busy)

    def _at_latest(self, delay_s: float, call: Callable[[], Any]) -> None:
        timer = self._timers.get(call.__name__)
        left_s = timer.getTime() - self._reactor.seconds() if timer and timer.active() else None
        if self._is_stopping or (left_s is not None and left_s <= delay_s):
            return
        if timer and left_s is not None:
            timer.cancel()
        self._timers[call.__name__] = self._reactor.callLater(delay_s, call)

    def _sweep_unless_busy(self) -> Deferred[None]:
        if self._one_at_a_time.locked:
            self.wake()
            return ensureDeferred(_nothing())
        return ensureDeferred(self.sweep())

    def _dial_unless_busy(self) -> None:
        if self._one_at_a_time.locked:
            self._at_latest(_BREATH_S, self._dial_unless_busy)
        else:
            self._one_at_a_time.run(lambda: ensureDeferred(self._reporting(self._dial())))

    def _look_at_clock_again(self) -> None:
        self._watch_clock()
        self._at_latest(_LOOK_AT_CLOCK_EVERY_S, self._look_at_clock_again)

    def _watch_clock(self) -> None:
        """Plan the jobs anew after a jump, whoever looks first: a jump is told once."""
        jump = self._watch.look()
        if not jump:
            return
        log.warning("clock_jumped", by_s=jump.total_seconds(), now=self._clock.now().isoformat(),
                    is_doubted=self._watch.is_doubted)
        if self._scheduler is not None:
            for job in self._scheduler.get_jobs():
                job.reschedule(job.trigger)
            self.wake()

    def clock_was_set(self) -> None:
        """Believe the clock as it stands now: it was set on purpose, as in a rehearsal, and did not jump."""
        self._watch_clock()
        self._watch.believe()

    # -- the sweep over orders --------------------------------------------------------------------------------------

    async def sweep(self, at: datetime | None = None) -> None:
        """Do all that is due at `at` (now, if None); never runs beside itself, and may be run as often as one likes.

        A ledger that cannot be read or written ends a sweep: it is logged, and the next one tries again.
        """
        await self._one_at_a_time.run(lambda: ensureDeferred(self._reporting(self._sweep(at))))

    async def _reporting(self, work: Awaitable[None]) -> None:
        try:
            await work
        except SchedulerError as wrong:
            log.warning("sweep_broken_off", error=str(wrong))
        except Exception:
            log.exception("sweep_failed")  # an error in one sweep must not be the end of all

    async def _sweep(self, at: datetime | None) -> None:
        if self._is_stopping:
            return
        at = at or self._clock.now()
        self._watch_clock()
        orders = await self._waiting.read(at, self.calendar)
        if await self._do_steps(orders, at):
            await self._waiting.read(at, self.calendar)
        await self._dials.settle_rest()
        await self._dial(at)
        self._whole_sweep_at_s = self._reactor.seconds()

    async def _do_steps(self, orders: list[Order], at: datetime) -> bool:
        lease = await self._orders.lease(_SWEEPS_LEASE, self._ladder.lease_s)
        if lease is None:
            return False  # another node is at it
        try:
            for order in orders:
                await self._dials.recover(order, at)
            return await self._sweeps.run(
                orders, at, self.calendar, lambda: self._orders.renew(lease), may_climb=not self._watch.is_doubted
            )
        finally:
            await self._orders.release(lease)

    async def _dial(self, at: datetime | None = None) -> None:
        if self._is_stopping:
            return
        at = at or self._clock.now()
        has_more = await self._waiting.dial(at, self.calendar)
        next_s = _BREATH_S if has_more else self._waiting.next_dial_s(at, self.calendar)
        if next_s is not None:
            self._at_latest(next_s, self._dial_unless_busy)
        self._at_latest(self._waiting.next_step_s(at, self.calendar), self._sweep_unless_busy)

    async def dial_now(self, order_id: str, may_be_dialled: Callable[[Order], bool], request: CallbackRequest) -> bool:
        """Begin a callback that somebody asked for; False if another node or an attempt under way has the order.

        `may_be_dialled` is asked about the order as it is under the lease. Never at once with what the sweeps begin.
        """
        begin = self._one_at_a_time.run(lambda: ensureDeferred(self._dial_now(order_id, may_be_dialled, request)))
        return bool(await begin)

    async def _dial_now(self, order_id: str, may_be_dialled: Callable[[Order], bool], request: CallbackRequest) -> bool:
        if self._is_stopping or self._ports.free_lines() <= 0:
            return False
        under_way = self._dials.under_way
        engaged = {order.callback_number for order in under_way.values()}.union(self._ports.phones_in_use())

        def is_its_turn(order: Order) -> bool:
            return order.callback_number not in engaged and may_be_dialled(order)

        begun = await self._dials.begin(order_id, self._clock.now(), is_its_turn, request)
        if begun is not None:
            self._waiting.note(begun.order_id, begun)
        return begun is not None and begun.order_id in self._dials.under_way and begun.order_id not in under_way

    def _keep_house(self) -> Deferred[None]:
        self._watch_clock()
        if self._watch.is_doubted:
            return ensureDeferred(_nothing())  # nothing is closed or forgotten on such a word
        return ensureDeferred(self._reporting(self._ports.keep_house(self._clock.now())))

    # -- the sweep over the calendar ----------------------------------------------------------------------------------

    def _sweep_calendar(self) -> Deferred[None]:
        return ensureDeferred(self.sweep_calendar())

    async def sweep_calendar(self, at: datetime | None = None) -> None:
        """Read the calendar, and let a revised one move the deadlines of open orders."""
        await self._one_at_a_time.run(lambda: ensureDeferred(self._reporting(self._reload(at or self._clock.now()))))

    async def _reload(self, at: datetime) -> None:
        try:
            calendar = self._read_calendar()
        except ConfigError as wrong:
            log.error("calendar_refused", error=str(wrong), kept=self.calendar.version)
            return
        if calendar.version != self.calendar.version:
            log.warning("calendar_changed", before=self.calendar.version, now=calendar.version)
            self.calendar = calendar
            self._on_calendar(calendar)
        if await redate_all(self._orders, self._ports, calendar, at, self._ladder.lease_s):
            self.wake()


async def _nothing() -> None:
    return None
