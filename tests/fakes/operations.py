"""Operations without a node: orders and calls as a test puts them there, and a list of what was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import Order
from callback_scheduler.reports.report import Question, Report
from callback_scheduler.store.search import OrderFilter
from config.hours_file import hours_text
from config.settings import Settings
from ivr.calls.digits import TargetKind
from ivr.calls.seat_states import SeatState
from ivr.calls.supervision import Mode
from ivr.refused import OperationRefused
from node.operations.happenings import Listener, Topic
from node.operations.interfaces import Operations, Wish
from node.operations.order_refusals import OrderRefusal
from routing.calendar import Calendar
from routing.clock import SHANGHAI, MovableClock
from routing.directory import Directory
from routing.hours import Hours
from routing.search import Found
from tests.fakes.site_operations import FakePart, FakeSite, sample_site

MORNING = datetime(2026, 3, 10, 9, 5, tzinfo=SHANGHAI)


class _Part(FakePart):
    """A part that looks at what a test has put into the whole."""

    _whole: FakeOperations


class FakeOrders(_Part):
    """The orders of `orders_there`; acts are noted, and answered with the order as it is."""

    name = "orders"

    async def one(self, order_id: str) -> Order | None:
        return self._whole.orders_there.get(order_id)

    async def find(self, filters: OrderFilter) -> list[Order]:
        fitting = [order for order in self._whole.orders_there.values() if _fits(filters, order)]
        fitting.sort(key=lambda order: (order.opened_at, order.order_id), reverse=True)
        ids = [order.order_id for order in fitting]
        first = ids.index(filters.after) + 1 if filters.after in ids else 0
        return fitting[first : first + filters.limit]

    async def counts(self) -> dict[tuple[str, str], int]:
        return dict(Counter((order.unit_id, order.state.value) for order in self._whole.orders_there.values()))

    async def owed(self, limit: int = 1000) -> list[Order]:
        owed = [order for order in self._whole.orders_there.values() if order.state.is_open]
        return sorted(owed, key=lambda order: order.due_at)[:limit]

    async def due_before(self, at: datetime, limit: int = 1000) -> list[Order]:
        return [order for order in await self.owed(limit) if order.due_at <= at]

    async def named(self, order_ids: list[str]) -> list[Order]:
        return [self._whole.orders_there[one] for one in order_ids if one in self._whole.orders_there]

    async def events(self, order_id: str) -> list[dict[str, Any]]:
        return self._whole.events_there.get(order_id, [])

    async def acknowledge(self, order_id: str, who: Actor) -> Order:
        return self._act("acknowledge", order_id, str(who))

    async def give_back(self, order_id: str, why: str, who: Actor) -> Order:
        return self._act("give_back", order_id, why, str(who))

    async def self_report(self, order_id: str, text: str, who: Actor) -> Order:
        return self._act("self_report", order_id, text, str(who))

    async def write_answer(self, order_id: str, text: str, who: Actor) -> Order:
        return self._act("write_answer", order_id, text, str(who))

    async def name_enterprise(self, order_id: str, company: str, contact: str, who: Actor) -> Order:
        return self._act("name_enterprise", order_id, company, contact, str(who))

    async def ring_back(self, order_id: str, number: str, who: Actor, own_number: str = "") -> Order:
        return self._act("ring_back", order_id, number, str(who), *([own_number] if own_number else []))

    async def set_number(self, order_id: str, number: str, why: str, who: Actor) -> Order:
        return self._act("set_number", order_id, number, why, str(who))

    async def ring_unit_now(self, order_id: str, who: Actor, overrule: str = "") -> Order:
        return self._act("ring_unit_now", order_id, str(who), *([overrule] if overrule else []))

    async def remind_leader(self, order_id: str, who: Actor, overrule: str = "") -> Order:
        return self._act("remind_leader", order_id, str(who), *([overrule] if overrule else []))

    async def reassign(self, order_id: str, unit_id: str, why: str, who: Actor) -> Order:
        return self._act("reassign", order_id, unit_id, why, str(who))

    async def close(self, order_id: str, why: str, who: Actor) -> Order:
        return self._act("close", order_id, why, str(who))

    async def reopen(self, order_id: str, why: str, who: Actor) -> Order:
        return self._act("reopen", order_id, why, str(who))

    async def rejudge(self, order_id: str, why: str, who: Actor) -> Order:
        return self._act("rejudge", order_id, why, str(who))

    def _act(self, verb: str, order_id: str, *arguments: str) -> Order:
        if order_id not in self._whole.orders_there:
            raise OrderRefusal.UNKNOWN.error(order_id=order_id)
        changed: Order | None = self._do(verb, order_id, *arguments)
        return self._whole.orders_there[order_id] if changed is None else changed


class FakeOnline(_Part):
    """The hand-over from the online assistant."""

    name = "online"

    async def open_for_online(
        self, matter_id: str, number: str, text: str, wants: Wish, who: Actor, *, company: str = "", contact: str = ""
    ) -> dict[str, Any]:
        named = [company, contact] if company or contact else []
        opened: dict[str, Any] = self._do("open_for_online", matter_id, number, text, wants, str(who), *named)
        return opened

    async def first_response_s(self, order_id: str) -> float | None:
        seconds: float | None = self._do("first_response_s", order_id)
        return seconds


class FakeCalls(_Part):
    """What a seat does with its call."""

    name = "calls"

    def search(self, words: str, limit: int = 20) -> list[Found]:
        return list(self._do("search", words, limit) or ())

    async def transfer(
        self, call_id: str, target: str, who: Actor, *, kind: TargetKind | str = "", seat_number: str = ""
    ) -> None:
        self._do("transfer", call_id, target, str(who), kind, seat_number)

    async def hold(self, call_id: str, who: Actor, *, seat_number: str = "", is_held: bool | None = None) -> None:
        self._do("hold", call_id, str(who), seat_number, is_held)

    async def drop(self, call_id: str, who: Actor, *, seat_number: str = "") -> None:
        self._do("drop", call_id, str(who), seat_number)

    async def leave(self, call_id: str, who: Actor, *, seat_number: str = "") -> None:
        self._do("leave", call_id, str(who), seat_number)


class FakeCallView(_Part):
    """What is to be seen of running calls."""

    name = "call_view"

    async def seat_call(self, number: str) -> dict[str, Any] | None:
        call: dict[str, Any] | None = self._do("seat_call", number)
        return call

    def live_call(self, call_id: str) -> dict[str, Any] | None:
        call: dict[str, Any] | None = self._do("live_call", call_id)
        return call


class FakeSeats(_Part):
    """States of seats."""

    name = "seats"

    def statuses(self) -> list[dict[str, Any]]:
        return list(self._do("statuses"))

    async def set_seat_state(self, number: str, state: SeatState | str, why: str, who: Actor) -> None:
        self._do("set_seat_state", number, state, why, str(who))

    async def wrap_up(self, seat_number: str, text: str, who: Actor) -> None:
        self._do("wrap_up", seat_number, text, str(who))

    async def name_enterprise(self, seat_number: str, company: str, contact: str, who: Actor) -> None:
        self._do("name_enterprise", seat_number, company, contact, str(who))

    async def wrap_ups_of(self, call_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        return dict(self._do("wrap_ups_of", sorted(call_ids)) or {})

    async def wrap_ups(self, call_id: str) -> list[dict[str, Any]]:
        return list(self._do("wrap_ups", call_id) or ())


class FakeSupervision(_Part):
    """Supervision of running calls."""

    name = "supervision"

    async def begin(self, call_id: str, supervisor_number: str, mode: Mode | str, who: Actor, *, name: str = "") -> str:
        return str(self._do("begin", call_id, supervisor_number, mode, str(who), name))

    async def change(self, supervision_id: str, mode: Mode | str, who: Actor) -> None:
        self._do("change", supervision_id, mode, str(who))

    async def stop(self, supervision_id: str, who: Actor) -> None:
        self._do("stop", supervision_id, str(who))

    def end_all_of(self, name: str) -> None:
        self._do("end_all_of", name)


class FakeFollowUps(_Part):
    """Ratings that somebody must see to."""

    name = "follow_ups"

    async def waiting(self) -> list[dict[str, Any]]:
        return list(self._do("waiting") or ())

    async def settle(self, survey_id: str, why: str, who: Actor) -> None:
        self._do("settle", survey_id, why, str(who))


class FakeNumberCheck(_Part):
    """Checks of the numbers of units."""

    name = "number_check"

    async def run(self, unit_id: str, who: Actor) -> list[dict[str, Any]]:
        return list(self._do("run", unit_id, str(who)) or ())

    def last(self, unit_id: str) -> dict[str, Any] | None:
        check: dict[str, Any] | None = self._do("last", unit_id)
        return check


class FakeOperations:
    """The sample's site at a fixed moment; every act is noted in `acts` as ("orders.acknowledge", (order_id, who)).

    What pages read is put into `orders_there`, `events_there`, `calls_there`, `recordings_there`, `status_now`,
    `answers`. To refuse something: `answers["orders.close"] = OperationRefused("…", "key")`.
    """

    def __init__(self, at: datetime = MORNING) -> None:
        self.orders = FakeOrders(self)
        self.online = FakeOnline(self)
        self.calls = FakeCalls(self)
        self.call_view = FakeCallView(self)
        self.seats = FakeSeats(self)
        self.supervision = FakeSupervision(self)
        self.follow_ups = FakeFollowUps(self)
        self.number_check = FakeNumberCheck(self)
        self.site = FakeSite(self)
        self.clock = MovableClock(at, monotonic=lambda: 0.0)
        self.acts: list[tuple[str, tuple[Any, ...]]] = []
        self.answers: dict[str, Any] = {
            "seats.statuses": [], "site.prompts.list_prompts": [], "site.directory.text": "",
        }  # fmt: skip
        self.answers["site.hours.text"] = hours_text(self.settings.hours)
        self.orders_there: dict[str, Order] = {}
        self.events_there: dict[str, list[dict[str, Any]]] = {}
        self.calls_there: list[dict[str, Any]] = []
        self.recordings_there: dict[str, Path] = {}
        self.status_now: dict[str, Any] = {
            "opening": {"is_open": True, "reason": "", "until": None}, "calls": [], "seats": [], "lines": {},
            "door": {}, "trunks": {}, "ledger": {}, "timetable": {}, "notices": [],
            "drain": {"is_draining": False, "calls": 0, "left_s": 0},
        }  # fmt: skip
        self._listeners: list[Listener] = []

    # -- what it knows --------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.clock.now()

    @property
    def settings(self) -> Settings:
        return sample_site().settings

    @property
    def directory(self) -> Directory:
        return sample_site().directory

    @property
    def calendar(self) -> Calendar:
        return sample_site().calendar

    @property
    def hours(self) -> Hours:
        return sample_site().hours

    def status(self) -> dict[str, Any]:
        return {"at": self.now().isoformat()} | self.status_now

    async def recent_calls(self, limit: int = 100, after: str = "") -> list[dict[str, Any]]:
        ids = [call["call_id"] for call in self.calls_there]
        first = ids.index(after) + 1 if after else 0
        return self.calls_there[first : first + limit]

    async def call(self, call_id: str) -> dict[str, Any] | None:
        return next((call for call in self.calls_there if call["call_id"] == call_id), None)

    async def calls_of(self, order_id: str) -> list[dict[str, Any]]:
        return [call for call in self.calls_there if order_id in call.get("order_ids", ())]

    def recording(self, path: str) -> Path:
        if path not in self.recordings_there:
            raise OperationRefused("录音已不存在。", "recording.gone")
        return self.recordings_there[path]

    async def report(self, question: Question) -> Report:
        return cast(Report, self.noted("report", (question,)))

    # -- what happens ---------------------------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def tell(self, kind: str, **fields: Any) -> None:
        """Let something happen."""
        for listener in list(self._listeners):
            listener(Topic(kind), fields)

    def noted(self, verb: str, arguments: tuple[Any, ...]) -> Any:
        """Note an act and return its answer; raise it if it is an exception."""
        answer = self.answers.get(verb)
        if isinstance(answer, Exception):
            raise answer
        self.acts.append((verb, arguments))
        return answer


def _fits(filters: OrderFilter, order: Order) -> bool:
    is_in_time = (filters.since is None or order.opened_at >= filters.since) and (
        filters.until is None or order.opened_at < filters.until
    )
    return filters.fits(order) and is_in_time


def as_operations(operations: FakeOperations) -> Operations:
    """Return the same; mypy checks here that the fake has all verbs of the real operations."""
    return operations
