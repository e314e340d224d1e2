"""The node of the harness: the real rooms on a virtual day, in which a few milliseconds pass for every minute.

Virtual time stands still while anything waits for journal or Redis (as in a rehearsal), and before a longer pause
until the receivers of notices have been told. Two things are not the product's own: APScheduler, which counts by the
machine's clock, gives way to a sweep every minute of the virtual day; and the clock by which Redis ends leases is
the virtual one, or a lease of thirty seconds would outlast the morning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock as VirtualTime
from twisted.internet.task import deferLater

from callback_scheduler.ledger import ledger
from callback_scheduler.notices.notices import Notices
from callback_scheduler.rehearsal.rehearsal import WatchedLedger
from callback_scheduler.store import leases
from callback_scheduler.store.leases import Leases
from callback_scheduler.store.store import Store
from callback_scheduler.timetable.ports import Ports
from callback_scheduler.timetable.timetable import Timetable
from config.ladder import LadderSettings
from config.notices import ORDER_EVENTS, NoticeSettings
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.presence import Presence
from ivr.calls.services import CallServices
from ivr.dispatch.incoming import IncomingCalls
from ivr.dispatch.outgoing import OutgoingCalls
from ivr.dispatch.recovery import recover
from ivr.door.admission import IncomingCall
from ivr.line import messages as m
from routing.clock import MovableClock
from routing.site import Site
from tests.fakes.line import CALLER_LEG
from tests.redis.kill.points import POINTS, Incident
from tests.redis.kill.town import DUE_AT, LATE_BELL, PUNCTUAL, Caller, TownLines, TownPrompts
from tests.redis.kill.trap import die
from tests.redis.kill.witness import Witness

_P = ParamSpec("_P")
_T = TypeVar("_T")
_SEGMENT_BYTES = 20_000
_RETRY = {"first_pause_s": 0.01, "longest_pause_s": 0.05, "gives_up_after": 3}
_SWEEP_S, _SLOW_SWEEP_S = 60.0, 600.0
_LONG_PAUSE_S = 20.0
_PATIENCE_S = 60.0
# Who is told of what: one of everything, one of what is new.
RECEIVERS: dict[str, tuple[str, ...]] = {"board": (*ORDER_EVENTS, "notice_given"), "strict": ("order_opened",)}
_LEASE_SCRIPT = leases._LEASE_SCRIPT.replace("redis.call('TIME')", "{ARGV[6], ARGV[7]}")


@dataclass(frozen=True)
class Plan:
    """One life of the node: from `begins_at` to `ends_at`, unless it is killed at `point` before.

    The `nth` time `point` is reached from `armed_at` on is the last; "" is no kill. `redis_url` None is a Redis of its
    own. A storm is another kind of life (see `storm.py`).
    """

    folder: str
    witness: str
    redis_url: str | None
    key_prefix: str
    receivers: dict[str, str]
    seed: int
    life: int
    begins_at: datetime
    ends_at: datetime
    callers: list[Caller]
    point: str = ""
    armed_at: datetime = DUE_AT
    nth: int = 1
    is_storm: bool = False


class DayLedger(WatchedLedger):
    """A ledger of small files that knows whether anybody waits for it, also to write."""

    def __init__(self, data_dir: Path, reactor: Any, **options: Any) -> None:
        super().__init__(data_dir, reactor, **options)
        self._journal._segment_bytes = _SEGMENT_BYTES

    def _done(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """Do it in the next turn of the reactor: the answer comes later all the same, without the price of a thread."""
        return deferLater(self._reactor, 0, work, *args, **kwargs)

    async def write(self, event_type: str, payload: dict[str, Any], at: datetime, event_id: str = "") -> None:
        self._awaited += 1
        try:
            await super().write(event_type, payload, at, event_id)
        finally:
            self._came(None)


class Day:
    """One life of the node."""

    def __init__(
        self, plan: Plan, site: Site, *, reactor: Any, time: VirtualTime, clock: MovableClock, witness: Witness
    ) -> None:
        self.plan, self._reactor = plan, reactor
        self._time: Any = time
        self.clock, self.witness = clock, witness
        self.lines = TownLines(self._time, self.clock, self.witness, plan.seed)
        folder = Path(plan.folder)
        self.ledger = DayLedger(folder, reactor, redis_url=plan.redis_url, key_prefix=plan.key_prefix)
        self._recordings = folder / "recordings"
        self._lets_in, self._jumped = True, timedelta(0)
        self._office = Office(site.settings, site.directory, site.calendar, site.hours, self.clock)
        self._orders = Orders(self.ledger, self._office)
        services = CallServices(
            self._time, self.clock, TownPrompts(), site.settings.phone, Presence(), self._recordings,  # type: ignore[arg-type]
            lambda number: (f"sip:{number}@127.0.0.1", "12345"), self._time.seconds,
        )  # fmt: skip
        self._desk = IncomingCalls(services, self._office, self._orders)
        self._callbacks = OutgoingCalls(services, self._office, self._orders, self.ledger, self.lines)
        self._notices = Notices(
            self.ledger, self._notice_settings(), folder / "notices",
            directory=site.directory, clock=self.clock, reactor=reactor, chance=Random(plan.seed),
        )  # fmt: skip
        self._timetable = Timetable(
            self.ledger.orders, ladder_of(site), site.directory,
            calendar=site.calendar, clock=self.clock, reactor=self._time, ports=self._ports(),
        )  # fmt: skip

    def _ports(self) -> Ports:
        return Ports(
            ring_back=self._callbacks.ring_back,
            remind_leader=self._callbacks.remind_leader,
            notices=self._notices,
            free_lines=self._callbacks.free_lines,
            phones_in_use=self._callbacks.phones_in_use,
        )

    def _notice_settings(self) -> NoticeSettings:
        usual = {"secret_env": "TEST_SECRET", "phone_numbers": "full"}
        webhooks = [
            {"name": name, "url": url, "events": RECEIVERS[name]} | usual for name, url in self.plan.receivers.items()
        ]
        return NoticeSettings.model_validate({"webhooks": webhooks, "retry": _RETRY})

    # -- life ---------------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Start as `node.node` does, live through the day, and stop."""
        self.witness.saw("started", self.clock.now())
        await self.ledger.start()
        await self._notices.start()
        await recover(self.ledger, self._orders, self.clock, self._recordings)
        for caller in self.plan.callers:
            self._time.callLater((caller.at - self.plan.begins_at).total_seconds(), self._dials_in, caller)
        self._sweep()
        incident = POINTS.get(self.plan.point)
        if isinstance(incident, Incident):
            self._meet(incident)
        await self._pass_until((self.plan.ends_at - self.plan.begins_at).total_seconds())
        await self._timetable.stop()
        dead = [letter["event_id"] for letter in self._notices.dead_letters()]
        await self._notices.stop()
        await self.ledger.stop()
        self.witness.saw("ended_the_day", self.clock.now(), dead_letters=dead)

    async def _pass_until(self, ends_s: float) -> None:
        while True:
            await self.ledger.idle()
            next_s = min(call.getTime() for call in self._time.getDelayedCalls())
            if next_s - self._time.seconds() >= _LONG_PAUSE_S or next_s > ends_s:
                await self._all_told()
            if next_s > ends_s and not self.lines.busy:
                return
            self._time.advance(max(0.0, next_s - self._time.seconds()))

    async def _all_told(self) -> None:
        """Wait until every receiver has been told all there is, and the cursors say so."""
        couriers = self._notices._couriers.values()
        while any(one.position < self.ledger.feed.end or one._is_saving or one._is_dirty for one in couriers):
            await deferLater(self._reactor, 0.002)

    def _sweep(self) -> None:
        self._timetable.wake()
        now = self.clock.now()
        is_quick = DUE_AT - timedelta(minutes=77) <= now <= DUE_AT + timedelta(minutes=45)
        is_night = now < DUE_AT - timedelta(hours=2)
        evening_s = 60.0 if now - self.plan.begins_at < timedelta(minutes=15) else 7200.0
        self._time.callLater(_SWEEP_S if is_quick else evening_s if is_night else _SLOW_SWEEP_S, self._sweep)

    # -- what comes over all of it ------------------------------------------------------------------------------------

    def _meet(self, incident: Incident) -> None:
        """Let an incident come at its moment, and death some time later."""
        begins_s = max(0.0, (self.plan.armed_at - self.plan.begins_at).total_seconds())
        begins = {
            "drain": self._drains,
            "clock_a_day_ahead": lambda: self._jumps(timedelta(days=1)),
            "clock_a_day_back": lambda: self._jumps(timedelta(days=-1)),
        }[incident.kind]
        self._time.callLater(begins_s, begins)
        dies_s = begins_s + self.plan.nth * incident.dies_after.total_seconds()
        self._time.callLater(dies_s, lambda: die(self.witness, self.clock.now() - self._jumped, self.plan.point))

    def _drains(self) -> None:
        """Do as `node.drain` lets the node: nobody comes in, no callback is begun, who talks goes on."""
        self._lets_in = False
        self.lines.drain()

    def _jumps(self, by: timedelta) -> None:
        """Let the wall clock jump by itself: nobody set it."""
        self.clock.advance(by)
        self._jumped = by

    # -- callers ------------------------------------------------------------------------------------------------------

    def _dials_in(self, caller: Caller) -> None:
        if not self._lets_in:
            return  # 503: they ring again
        slot = self.lines.take()
        assert slot is not None, "there are lines for all callers of the town"
        slot.caller, slot.on_told = caller.number, self._was_told
        sip_call_id = f"{caller.number}-{self.clock.now():%H%M%S}"
        self._desk.on_call(slot, IncomingCall(sip_call_id, caller.number, "12345", "127.0.0.1", "town"))
        slot.saw("called", CALLER_LEG, call_id=self._desk.calls()[-1].call_id)
        slot.tell(m.LegIncoming(CALLER_LEG, sip_call_id, f"sip:{caller.number}@x", "sip:12345@x"))

    def _was_told(self, number: str, order_id: str) -> None:
        """The punctual one asks to be rung right before the deadline, so that the talk begins behind it."""
        if number == PUNCTUAL:
            wish = self._orders.note(order_id, "preferred_time", {"preferred_at": LATE_BELL}, self.clock.now())
            self._time.callLater(30.0, lambda: ensureDeferred(wish))


def ladder_of(site: Site) -> LadderSettings:
    """Return the ladder of the sample, but that after a breach nobody is dialled again on this short day."""
    return site.settings.ladder.model_copy(update={"late_retry_s": 3 * 3600.0})


def wait_for_a_busy_machine() -> None:
    """Let nobody in this process go on without Redis because the machine is slow."""
    ledger.MERGE_ANSWER_S = ledger._START_PATIENCE_S = _PATIENCE_S
    Store.connect.__kwdefaults__["timeout_s"] = _PATIENCE_S  # type: ignore[index]


def redis_by_the_clock_of(clock: MovableClock) -> None:
    """Let the leases of every store in this process end by `clock`."""

    def lease(self: Leases, verb: str, order_id: str, epoch: int, ttl_s: float) -> int:
        seconds, part = divmod(clock.now().timestamp(), 1.0)
        arguments = (self._prefix, verb, order_id, epoch, round(ttl_s * 1000), int(seconds), int(part * 1e6))
        return int(self._ask(lambda redis: redis.eval(_LEASE_SCRIPT, 0, *arguments)))

    Leases._lease = lease  # type: ignore[method-assign]
