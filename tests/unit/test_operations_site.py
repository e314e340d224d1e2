"""Calendar, day and night, directory: shown before they change, effective at once, kept over a restart, taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred, succeed

import config
from callback_scheduler.journal import JournalEvent
from callback_scheduler.order import Order
from ivr.calls.office import Office
from ivr.operations_errors import OperationRefused
from ivr.operations_feed import HappeningsFeed
from ivr.operations_site import SiteOperations
from routing.calendar import Calendar
from routing.hours import Switch
from routing.site import Site, load_site
from routing.site_changes import FOLDER, with_changes
from tests.fake_orders import FakeKeeping, Reactor, an_order, done, moment

ADMIN = "admin:陈管理"
SHIPPED = Path(config.__file__).parent
# a made-up notice: one day of 2026 more that is free, though chinesecalendar has it as a workday
NOTICE = "date,type,name\n2026-03-04,holiday,地方假日\n"


class _Ledger(FakeKeeping):
    """Orders in memory, and what is written beside them."""

    def __init__(self, time: Reactor) -> None:
        super().__init__(time)
        self.written: list[JournalEvent] = []

    async def write(self, event_type: str, payload: dict[str, Any], at: Any) -> None:
        self.written.append(JournalEvent.new(event_type, payload, at))

    async def history(self, *event_types: str) -> list[JournalEvent]:
        return [event for event in self.written if event.event_type in event_types]


class Node:
    """A site with its operations, at half past eight on Wednesday 2026-03-04; may be started again."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.time = Reactor()
        self.ledger = _Ledger(self.time)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.sweeps: list[Calendar] = []
        self.start()

    def start(self) -> None:
        configured = load_site(SHIPPED / "hotline.yaml")
        self.site = with_changes(configured, self.data_dir / FOLDER)
        clock: Any = SimpleNamespace(now=lambda: moment("03-04 08:30"))
        self.office = Office(
            self.site.settings, self.site.directory, self.site.calendar, self.site.hours, clock
        )
        feed = HappeningsFeed()
        feed.subscribe(lambda kind, fields: self.told.append((kind, fields)))
        rooms: Any = SimpleNamespace(
            ledger=self.ledger, clock=clock, office=self.office, data_dir=self.data_dir, feed=feed, site=configured,
            timetable=SimpleNamespace(sweep_calendar=self._sweep),
        )  # fmt: skip
        self.operations = SiteOperations(rooms, in_thread=lambda work, *args: succeed(work(*args)))

    async def _sweep(self) -> None:
        site = with_changes(self.site_as_configured(), self.data_dir / FOLDER)
        self.office.take_calendar(site.calendar)

    @staticmethod
    def site_as_configured() -> Site:
        return load_site(SHIPPED / "hotline.yaml")

    def do(self, act: str, *args: Any) -> Any:
        return done(ensureDeferred(getattr(self.operations, act)(*args)))

    def refusal(self, act: str, *args: Any) -> str:
        with pytest.raises(OperationRefused) as refused:
            self.do(act, *args)
        return refused.value.key

    def order(self, **changes: Any) -> Order:
        order = an_order(**changes)
        self.ledger.put(order)
        return order

    def events(self) -> list[dict[str, Any]]:
        return [event.payload for event in self.ledger.written]

    def is_workday(self) -> bool:
        return self.office.calendar.day(moment("03-04 00:00").date()).is_workday


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


# -- calendar ---------------------------------------------------------------------------------------------------------


def test_a_notice_shows_its_days_and_the_orders_it_would_move_before_anything_changes(node: Node) -> None:
    order = node.order()
    preview = node.do("preview_calendar", NOTICE)
    assert [(f"{day.on}", day.type_before, day.type_after, day.name_after) for day in preview.days] == [
        ("2026-03-04", "workday", "holiday", "地方假日")
    ]
    assert [(one.order_id, one.due_before, one.due_after) for one in preview.moved] == [
        (order.order_id, moment("03-04 10:00"), moment("03-05 10:00"))
    ]
    assert node.is_workday()
    assert not node.events()


def test_a_bad_notice_is_refused_with_its_lines(node: Node) -> None:
    text = "date,type,name\n2026-03-04,feiertag,x\n2026-13-04,holiday,x\n"
    assert [fault.line for fault in node.do("preview_calendar", text).faults] == [2, 3]
    assert node.refusal("apply_calendar", text, ADMIN) == "calendar.faults"
    assert node.do("preview_calendar", "何时放假？").faults
    half = "date,type,name\n2031-01-01,holiday,元旦\n"
    assert node.do("preview_calendar", half).faults  # a year nobody else knows must be there as a whole
    assert not node.events()


def test_a_notice_counts_at_once_and_after_a_restart_and_is_taken_back_after_one(node: Node) -> None:
    node.do("apply_calendar", NOTICE, ADMIN, "市政府通知")
    assert not node.is_workday()
    node.start()
    assert not node.is_workday()
    node.do("undo_calendar", ADMIN)
    assert node.is_workday()
    node.start()
    assert node.is_workday()
    applied, undone = node.events()
    assert (applied["what"], applied["who"], applied["why"], applied["is_undo"]) == (
        "calendar", ADMIN, "市政府通知", False)
    assert (applied["version_before"], undone["version_after"]) == ("", "")
    assert applied["version_after"] == undone["version_before"] != ""
    assert [kind for kind, _ in node.told] == ["site", "site"]
    assert node.refusal("undo_calendar", ADMIN) == "site.nothing_to_undo"


def test_changes_are_taken_back_one_after_the_other(node: Node) -> None:
    node.do("apply_calendar", NOTICE, ADMIN)
    node.do("apply_calendar", NOTICE.replace("03-04", "03-06"), ADMIN)
    assert node.is_workday()
    node.do("undo_calendar", ADMIN)
    assert not node.is_workday()
    node.do("undo_calendar", ADMIN)
    assert node.is_workday()


# -- day and night ----------------------------------------------------------------------------------------------------


def test_the_switch_counts_at_once_survives_a_restart_and_expires(node: Node) -> None:
    node.do("set_switch", "day", "防汛值守", moment("03-04 08:40"), ADMIN)
    assert node.office.opening().is_open
    node.start()
    assert node.office.opening().reason == "防汛值守"
    assert not node.office.is_open_at(moment("03-04 08:40"))
    node.do("clear_switch", ADMIN)
    assert not node.office.opening().is_open
    node.start()
    assert node.office.hours.switch is None


@pytest.mark.parametrize(("state", "reason", "key"), [
    ("day", "x", "switch.in_the_past"), ("dawn", "x", "switch.incomplete"), ("day", " ", "switch.incomplete"),
])  # fmt: skip
def test_a_switch_without_reason_or_future_is_refused(node: Node, state: str, reason: str, key: str) -> None:
    until = moment("03-04 08:30") if key.endswith("past") else moment("03-04 12:00")
    assert node.refusal("set_switch", state, reason, until, ADMIN) == key
    assert not node.events()


# -- directory --------------------------------------------------------------------------------------------------------


def _units_without_number(text: str, number: str, other: str) -> str:
    assert number in text
    return text.replace(number, other, 1)


def test_a_changed_directory_rings_other_people_at_once_but_not_for_calls_that_run(node: Node) -> None:
    person = node.office.directory.units[0].tiers[0].specialists[0]
    text = _units_without_number(node.operations.directory_text(), person.number, "7799")
    running = node.office.as_it_is()
    preview = node.do("preview_directory", text)
    assert preview.units_changed == (node.office.directory.units[0].unit_id,)
    assert not preview.units_removed
    node.do("apply_directory", text, ADMIN)
    assert node.office.directory.person_at("7799") is not None
    assert running.directory.person_at("7799") is None
    node.start()
    assert node.office.directory.person_at("7799") is not None
    node.do("undo_directory", ADMIN)
    assert node.office.directory.person_at("7799") is None


def test_a_directory_with_faults_names_their_lines(node: Node) -> None:
    text = node.operations.directory_text() + "\nunits: {}\n"
    faults = node.do("preview_directory", text).faults
    assert faults
    assert any(fault.line > 1 for fault in faults)
    assert node.refusal("apply_directory", text, ADMIN) == "directory.faults"


def test_a_unit_that_owes_callbacks_is_not_taken_away(node: Node) -> None:
    directory = node.office.directory
    gone = replace(directory.units[-1], unit_id="closed_office")
    larger = type(directory)(directory.matters, (*directory.units, gone), directory.seats)
    directory.become(larger)
    order = node.order(unit_id="closed_office")
    text = node.operations.directory_text()
    preview = node.do("preview_directory", text)
    assert (preview.units_removed, preview.still_owed) == (("closed_office",), (order.order_id,))
    assert node.refusal("apply_directory", text, ADMIN) == "directory.still_owed"


def test_what_changed_is_listed_newest_first(node: Node) -> None:
    node.do("set_switch", "night", "停电", moment("03-04 08:30") + timedelta(hours=1), ADMIN)
    node.do("apply_calendar", NOTICE, ADMIN)
    assert [change["what"] for change in node.do("changes")] == ["calendar", "switch"]
    assert node.office.hours.switch == Switch(state="night", reason="停电", until=moment("03-04 09:30"))
