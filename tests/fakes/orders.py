"""Orders in memory for tests of the timetable: the ledger's promises about them, on a virtual clock."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock as VirtualTime

from callback_scheduler.errors import FencedOff, StaleOrder, StoreUnavailable, UnknownOrder
from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.fields import CHANGEABLE, attempt_fields, change_fields, from_fields, to_payload
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Lease, Order, OrderKind
from callback_scheduler.orders.states import OrderState
from callback_scheduler.store.slices import TimeSlice
from callback_scheduler.timetable.may_dial import DialRefusal
from callback_scheduler.timetable.ports import Note, Ports
from callback_scheduler.timetable.timetable import Timetable
from config.ladder import LadderSettings
from routing.calendar import Calendar
from routing.clock import SHANGHAI, MovableClock
from routing.directory import Directory, Matter, Unit
from routing.tiers import Specialist, Tier
from tests.fakes.event_log import BEGUN, WRITTEN, EventLog, a_turn, later

CALENDAR = Calendar()
DIRECTORY = Directory(
    matters=tuple(Matter(name, name, (), str(10 + n), name) for n, name in enumerate(("tax", "market"))),
    units=tuple(
        Unit(
            name,
            name,
            (
                Tier((Specialist(f"{name}_1", "一", f"61{n}1"), Specialist(f"{name}_2", "二", f"61{n}2")), 0.0),
                Tier((Specialist(f"{name}_3", "三", f"61{n}3"),), 12.0),
            ),
            leader_number=f"61{n}9",
            head_number=f"61{n}8",
        )
        for n, name in enumerate(("tax", "market"))
    ),
)


def moment(text: str) -> datetime:
    """`03-04 09:00` or `03-04 09:00:30` of 2026 in Shanghai."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=SHANGHAI)


_FIELDS = {field.name for field in dataclasses.fields(Order)} - {"deadline"}
_numbers = itertools.count(1)


def an_order(opened_at: str = "03-03 20:00", **changes: Any) -> Order:
    """An order that was sent to the tax unit on Tuesday evening, due on Wednesday 2026-03-04 at 10:00."""
    at = moment(opened_at)
    n = next(_numbers)
    fields: dict[str, Any] = {
        "order_id": f"2603031{n:04}",
        "state": OrderState.SENT,
        "call_id": f"call-{n}",
        "kind": OrderKind.AFTER_HOURS,
        "opened_at": at,
        "caller_number": f"139{n:08}",
        "callback_number": f"139{n:08}",
        "matter_id": "tax",
        "unit_id": "tax",
        "deadline": deadline(CALENDAR, at, missed_in_hours=False),
    }
    return Order(**(fields | changes))


class FakeKeeping(OrderKeeping):
    """Orders as documents, their events in a log, their leases; `is_away` makes it answer as one whose Redis is away.

    Disk and Redis take a turn of the reactor: what is not waited for comes late.
    """

    def __init__(self, time: VirtualTime) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.log = EventLog()
        self.is_away = False
        self._time = time
        self._leases: dict[str, tuple[int, float]] = {}
        self._epochs: dict[str, int] = {}

    @property
    def events(self) -> list[tuple[str, dict[str, Any], datetime | None]]:
        return [(entry.name, entry.more, entry.at) for entry in self.log.of_kind(WRITTEN)]

    def put(self, *orders: Order) -> None:
        for order in orders:
            life = {name: getattr(order, name) for name in CHANGEABLE & _FIELDS if getattr(order, name) is not None}
            attempts = {attempt.attempt_id: attempt_fields(attempt) for attempt in order.attempts}
            self.documents[order.order_id] = {
                **to_payload(order, order.order_id), **change_fields(life),
                "state": order.state.value, "is_open": order.state.is_open, "version": 1, "attempts": attempts,
            }  # fmt: skip

    @property
    def orders(self) -> FakeKeeping:
        """Itself: it stands for a ledger as well, which has its orders as a part."""
        return self

    async def _ask(self) -> None:
        await a_turn(self._time)
        if self.is_away:
            raise StoreUnavailable("Redis does not answer")

    async def order(self, order_id: str) -> Order | None:
        await self._ask()
        return from_fields(self.documents[order_id]) if order_id in self.documents else None

    async def due_before(self, at: datetime, limit: int = 1000) -> list[Order]:
        await self._ask()
        orders = [from_fields(document) for document in self.documents.values() if document["is_open"]]
        return sorted((order for order in orders if order.due_at <= at), key=lambda order: order.due_at)[:limit]

    async def due_slices(self, until: datetime) -> list[TimeSlice]:
        await self._ask()
        return [("", until.isoformat())]

    async def due_in(self, time_slice: TimeSlice, known: Mapping[str, Order]) -> list[Order]:
        orders = await self.due_before(datetime.fromisoformat(time_slice[1]), len(self.documents))
        return [known[order.order_id] if known.get(order.order_id) == order else order for order in orders]

    async def open_orders(self, limit: int = 10_000) -> list[Order]:
        return await self.due_before(moment("12-31 23:59"), limit)

    async def all_open_orders(self) -> list[Order]:
        return await self.due_before(moment("12-31 23:59"), len(self.documents))

    async def all_orders(self, since: datetime, until: datetime) -> list[Order]:
        orders = [from_fields(document) for document in self.documents.values()]
        return sorted((one for one in orders if since <= one.opened_at < until), key=lambda one: one.opened_at)

    async def open_orders_of(self, phone: str) -> list[Order]:
        return [order for order in await self.open_orders() if phone in (order.callback_number, order.caller_number)]

    async def _existing(self, order_id: str) -> Order:
        order = await self.order(order_id)
        if order is None:
            raise UnknownOrder(order_id)
        return order

    async def _happen(self, event_type: str, payload: dict[str, Any], epoch: int | None, at: datetime) -> Order:
        await a_turn(self._time)
        document = self.documents[payload["order_id"]]
        if epoch is not None and epoch < self._epochs.get(payload["order_id"], 0):
            raise FencedOff(payload["order_id"])
        if payload.get("state_from", document["state"]) != document["state"]:
            raise StaleOrder(payload["order_id"])
        self.log.add(WRITTEN, event_type, payload, at)
        for name, value in payload["changes"].items():
            if name == "steps_done":
                document[name] = [*document.get(name, ()), *value]
            elif value is None:
                document.pop(name, None)
            else:
                document[name] = value
        if "attempt" in payload:
            document["attempts"][payload["attempt"]["attempt_id"]] = payload["attempt"]
        document["state"] = payload.get("state_to", document["state"])
        document["is_open"] = payload.get("is_open", document["is_open"])
        document["version"] += 1
        return from_fields(document)

    # -- leases ---------------------------------------------------------------------------------------------------

    async def lease(self, order_id: str, ttl_s: float) -> Lease | None:
        await self._ask()
        if self._leases.get(order_id, (0, 0.0))[1] > self._time.seconds():
            return None
        epoch = self._epochs[order_id] = self._epochs.get(order_id, 0) + 1
        self._leases[order_id] = (epoch, self._time.seconds() + ttl_s)
        return Lease(order_id, epoch, ttl_s)

    async def renew(self, lease: Lease) -> bool:
        await self._ask()
        epoch, until_s = self._leases.get(lease.order_id, (0, 0.0))
        if epoch != lease.epoch or until_s <= self._time.seconds():
            return False
        self._leases[lease.order_id] = (epoch, self._time.seconds() + lease.ttl_s)
        return True

    async def release(self, lease: Lease) -> bool:
        await self._ask()
        if self._leases.get(lease.order_id, (0, 0.0))[0] != lease.epoch:
            return False
        del self._leases[lease.order_id]
        return True

    def notes(self, order_id: str, note: str) -> list[dict[str, Any]]:
        return [payload for _, payload, _ in self.events
                if payload["order_id"] == order_id and payload.get("note") == note]

    def done(self, order_id: str) -> list[str]:
        """The steps recorded for an order, in order of time."""
        return [key.partition("@")[0] for note in self.notes(order_id, "step_done")
                for key in note["changes"]["steps_done"]]


@dataclass(frozen=True)
class Play:
    """What becomes of one callback: its outcome, how long it takes, when in it the enterprise is rung (None: never)."""

    outcome: AttemptOutcome = AttemptOutcome.UNIT_NO_ANSWER
    takes_s: float = 18.0
    rings_enterprise_after_s: float | None = None


REACHED = Play(AttemptOutcome.REACHED, 60.0, 10.0)
NO_ANSWER = Play(AttemptOutcome.ENTERPRISE_NO_ANSWER, 60.0, 10.0)


class Reactor(VirtualTime):
    """Virtual time with what APScheduler wants of a reactor."""

    def callFromThread(self, call: Any, *args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)


class World:
    """One store, virtual time, phones that do as scripted, and any number of timetables."""

    def __init__(self, start: str, ladder: LadderSettings | None = None) -> None:
        self.time = Reactor()
        self.clock = MovableClock(moment(start), self.time.seconds)
        self.ladder = ladder or LadderSettings()
        self.ledger = FakeKeeping(self.time)
        self.log = self.ledger.log
        self.calendar = CALENDAR
        self.plays: dict[str, list[Play]] = {}  # by order; when they are used up nobody answers at the unit
        self.rung: list[tuple[str, str]] = []  # time of day, order
        self.reminded: list[tuple[str, str]] = []  # time of day, number
        self.told: list[tuple[str, str, dict[str, Any]]] = []  # kind, order, extra
        self.house_kept: list[datetime] = []
        self.refusals: dict[str, DialRefusal] = {}  # what the gate says, by number
        self.free_lines = 10
        self.most_at_once = 0
        self._at_once = 0
        self.timetables: list[Timetable] = []

    def timetable(self) -> Timetable:
        ports = Ports(
            ring_back=self._ring_back,
            remind_leader=self._remind_leader,
            notices=self,
            free_lines=lambda: self.free_lines,
            keep_house=self._keep_house,
            may_dial_now=lambda unit, number, why, past=None, at=None: self.refusals.get(number),
        )
        made = Timetable(
            self.ledger, self.ladder, DIRECTORY, calendar=self.calendar, clock=self.clock, reactor=self.time,
            ports=ports, read_calendar=lambda: self.calendar,
        )  # fmt: skip
        self.timetables.append(made)
        return made

    def sweep(self, timetable: Timetable | None = None) -> None:
        self.done((timetable or self.timetables[0]).sweep())

    def done(self, asked: Coroutine[Any, Any, Any] | Deferred[Any]) -> Any:
        """Return the result of what waits for nothing but disk and Redis, or raise its error."""
        return done(ensureDeferred(asked), self.time)

    def go_on_until(self, text: str) -> None:
        """Let time pass; every timer fires at its moment."""
        while (left_s := (moment(text) - self.clock.now()).total_seconds()) > 0:
            delayed: Any = self.time.getDelayedCalls()
            timers = [call.getTime() - self.time.seconds() for call in delayed]
            self.time.advance(max(0.0, min([left_s, *timers])))
        self.time.advance(0)

    def order(self, order: Order) -> Order:
        return from_fields(self.ledger.documents[order.order_id])

    # -- ports ------------------------------------------------------------------------------------------------------

    async def tell(self, kind: str, order: Order, extra: dict[str, Any], at: datetime) -> None:
        self.log.add(BEGUN, "tell", {"kind": kind, "order_id": order.order_id}, at)
        self.told.append((kind, order.order_id, extra))

    def told_of(self, kind: str) -> list[str]:
        return [order_id for told, order_id, _ in self.told if told == kind]

    async def _keep_house(self, at: datetime) -> None:
        self.house_kept.append(at)

    async def _remind_leader(self, order: Order, number: str, note: Note) -> bool:
        self.log.add(BEGUN, "remind_leader", {"number": number, "order_id": order.order_id})
        self.reminded.append((f"{self.clock.now():%H:%M}", number))
        await later(self.time, 20.0)
        await note()
        return True

    async def _ring_back(self, order: Order, attempt: Attempt, lease: Lease) -> Attempt:
        self.log.add(BEGUN, "ring_back", {"order_id": order.order_id})
        self.rung.append((f"{self.clock.now():%H:%M}", order.order_id))
        plays = self.plays.get(order.order_id)
        play = plays.pop(0) if plays else Play()
        self.free_lines -= 1
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._play(play, order, attempt, lease)
        finally:
            self.free_lines += 1
            self._at_once -= 1

    async def _play(self, play: Play, order: Order, attempt: Attempt, lease: Lease) -> Attempt:
        before_s = play.rings_enterprise_after_s
        if before_s is not None:
            await later(self.time, before_s)
            attempt = replace(attempt, enterprise_rung_at=self.clock.now())
            await self.ledger.note_order(
                order.order_id, "attempt_phase", who="unit", attempt=attempt, epoch=lease.epoch, at=self.clock.now()
            )
        began_at = self.clock.now() + timedelta(seconds=2)
        await later(self.time, play.takes_s - (before_s or 0.0))
        evidence = None
        if play.outcome is AttemptOutcome.REACHED:
            evidence = Evidence(
                call_id="c", unit_number="6101", unit_answered_at=attempt.begun_at, accepted_at=attempt.begun_at,
                enterprise_number=attempt.number, enterprise_answered_at=began_at, talk_began_at=began_at,
                two_way_s=45.0, recording="r.wav",
            )  # fmt: skip
        return replace(attempt, outcome=play.outcome, ended_at=self.clock.now(), evidence=evidence)


def done(deferred: Deferred[Any], time: VirtualTime | None = None) -> Any:
    """Return the result of a Deferred that has fired, or does so at this moment of `time`; or raise its error."""
    result: list[Any] = []
    deferred.addBoth(result.append)
    if time is not None:
        time.advance(0)
    assert result, "it waits for something"
    if hasattr(result[0], "raiseException"):
        result[0].raiseException()
    return result[0]
