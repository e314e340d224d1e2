"""Calendar, day and night, directory: shown before they change, effective at once, kept over a restart, taken back."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, succeed

import config
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders.order import Order
from config.errors import ConfigError
from ivr.calls.office import Office
from ivr.refused import OperationRefused
from node.operations.happenings import HappeningsFeed
from node.operations.site.site import SiteOperations
from routing.calendar import Calendar
from routing.hours import Switch
from routing.site import Site, load_site
from routing.site_changes import FOLDER, with_changes
from tests.fakes.event_log import BEGUN, WRITTEN, a_turn, begun, written
from tests.fakes.orders import FakeKeeping, Reactor, an_order, done, moment

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
        await a_turn(self._time)
        self.log.add(WRITTEN, event_type, payload, at)
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
        feed.subscribe(self._hear)
        timetable: Any = SimpleNamespace(sweep_calendar=self._sweep)
        ledger: Any = self.ledger
        no_prompts: Any = None
        self.operations = SiteOperations(
            configured.settings, self.data_dir, office=self.office, ledger=ledger, timetable=timetable,
            prompts=no_prompts, feed=feed, clock=clock, reactor=self.time,
            in_thread=self._in_thread,
        )  # fmt: skip

    def _hear(self, kind: str, fields: dict[str, Any]) -> None:
        self.ledger.log.add(BEGUN, "hear", fields)
        self.told.append((kind, fields))

    def _in_thread(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.ledger.log.add(BEGUN, work.__name__, {})
        return succeed(work(*args))

    async def _sweep(self) -> None:
        site = with_changes(self.site_as_configured(), self.data_dir / FOLDER)
        self.office.take_calendar(site.calendar)

    @staticmethod
    def site_as_configured() -> Site:
        return load_site(SHIPPED / "hotline.yaml")

    def do(self, act: str, *args: Any) -> Any:
        return done(ensureDeferred(attrgetter(act)(self.operations)(*args)), self.time)

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
    preview = node.do("calendar.preview", NOTICE)
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
    assert [fault.line for fault in node.do("calendar.preview", text).faults] == [2, 3]
    assert node.refusal("calendar.apply", text, ADMIN) == "calendar.faults"
    assert node.do("calendar.preview", "何时放假？").faults
    half = "date,type,name\n2031-01-01,holiday,元旦\n"
    assert node.do("calendar.preview", half).faults  # a year nobody else knows must be there as a whole
    assert not node.events()


def test_a_notice_counts_at_once_and_after_a_restart_and_is_taken_back_after_one(node: Node) -> None:
    node.do("calendar.apply", NOTICE, ADMIN, "市政府通知")
    assert not node.is_workday()
    node.start()
    assert not node.is_workday()
    node.do("calendar.undo", ADMIN)
    assert node.is_workday()
    node.start()
    assert node.is_workday()
    applied, undone = node.events()
    assert (applied["what"], applied["who"], applied["why"], applied["is_undo"]) == (
        "calendar", ADMIN, "市政府通知", False)
    assert (applied["version_before"], undone["version_after"]) == ("", "")
    assert applied["version_after"] == undone["version_before"] != ""
    assert [kind for kind, _ in node.told] == ["site", "site"]
    assert node.refusal("calendar.undo", ADMIN) == "site.nothing_to_undo"


@pytest.mark.parametrize(("act", "work"), [("calendar.apply", "put"), ("calendar.undo", "undo")])
def test_a_change_is_on_disk_before_it_is_made_and_told_of_after(node: Node, act: str, work: str) -> None:
    node.do("calendar.apply", NOTICE, ADMIN)
    node.ledger.log.entries.clear()
    node.do(act, *((NOTICE, ADMIN) if act == "calendar.apply" else (ADMIN,)))
    log = node.ledger.log
    assert log.first(written("site_changed")) < log.first(begun(work)) < log.first(begun("hear"))


def test_changes_are_taken_back_one_after_the_other(node: Node) -> None:
    node.do("calendar.apply", NOTICE, ADMIN)
    node.do("calendar.apply", NOTICE.replace("03-04", "03-06"), ADMIN)
    assert node.is_workday()
    node.do("calendar.undo", ADMIN)
    assert not node.is_workday()
    node.do("calendar.undo", ADMIN)
    assert node.is_workday()


# -- day and night ----------------------------------------------------------------------------------------------------


def test_the_switch_counts_at_once_survives_a_restart_and_expires(node: Node) -> None:
    node.do("hours.set_switch", "day", "防汛值守", moment("03-04 08:40"), ADMIN)
    assert node.office.opening().is_open
    node.start()
    assert node.office.opening().reason == "防汛值守"
    assert not node.office.is_open_at(moment("03-04 08:40"))
    node.do("hours.clear_switch", ADMIN)
    assert not node.office.opening().is_open
    node.start()
    assert node.office.hours.switch is None


@pytest.mark.parametrize(("state", "reason", "key"), [
    ("day", "x", "switch.in_the_past"), ("dawn", "x", "switch.incomplete"), ("day", " ", "switch.incomplete"),
])  # fmt: skip
def test_a_switch_without_reason_or_future_is_refused(node: Node, state: str, reason: str, key: str) -> None:
    until = moment("03-04 08:30") if key.endswith("past") else moment("03-04 12:00")
    assert node.refusal("hours.set_switch", state, reason, until, ADMIN) == key
    assert not node.events()


# -- directory --------------------------------------------------------------------------------------------------------


def _units_without_number(text: str, number: str, other: str) -> str:
    assert number in text
    return text.replace(number, other, 1)


def test_a_changed_directory_rings_other_people_at_once_but_not_for_calls_that_run(node: Node) -> None:
    person = node.office.directory.units[0].tiers[0].specialists[0]
    text = _units_without_number(node.operations.directory.text(), person.number, "7799")
    running = node.office.as_it_is()
    preview = node.do("directory.preview", text)
    assert preview.units_changed == (node.office.directory.units[0].unit_id,)
    assert not preview.units_removed
    node.do("directory.apply", text, ADMIN)
    assert node.office.directory.person_at("7799") is not None
    assert running.directory.person_at("7799") is None
    node.start()
    assert node.office.directory.person_at("7799") is not None
    node.do("directory.undo", ADMIN)
    assert node.office.directory.person_at("7799") is None


def test_a_directory_with_faults_names_their_lines(node: Node) -> None:
    text = node.operations.directory.text() + "\nunits: {}\n"
    faults = node.do("directory.preview", text).faults
    assert faults
    assert any(fault.line > 1 for fault in faults)
    assert node.refusal("directory.apply", text, ADMIN) == "directory.faults"


def test_a_unit_that_owes_callbacks_is_not_taken_away(node: Node) -> None:
    directory = node.office.directory
    gone = replace(directory.units[-1], unit_id="closed_office")
    larger = type(directory)(directory.matters, (*directory.units, gone), directory.seats)
    directory.become(larger)
    order = node.order(unit_id="closed_office")
    text = node.operations.directory.text()
    preview = node.do("directory.preview", text)
    assert (preview.units_removed, preview.still_owed) == (("closed_office",), (order.order_id,))
    assert node.refusal("directory.apply", text, ADMIN) == "directory.still_owed"


def test_what_changed_is_listed_newest_first(node: Node) -> None:
    node.do("hours.set_switch", "night", "停电", moment("03-04 08:30") + timedelta(hours=1), ADMIN)
    node.do("calendar.apply", NOTICE, ADMIN)
    assert [change["what"] for change in node.do("changes.latest")] == ["calendar", "switch"]
    assert node.office.hours.switch == Switch(state="night", reason="停电", until=moment("03-04 09:30"))


# -- hours and closures -----------------------------------------------------------------------------------------------

EARLIER = "hours:\n  workday: [08:00-12:00, 13:30-17:30]\n"
CLOSED_TODAY = EARLIER + "  closures:\n    - {start: 2026-03-04T08:00, end: 2026-03-04T18:00, reason: 系统升级}\n"


def test_the_text_of_the_hours_is_what_is_configured_and_changes_nothing(node: Node) -> None:
    text = node.operations.hours.text()
    preview = node.do("hours.preview", text)
    assert preview.hours.settings == node.site.settings.hours
    assert (preview.faults, preview.rules, preview.closures_added, preview.closures_removed) == ((), (), (), ())
    assert all(one.before == one.after for one in preview.openings)
    assert "switch" not in text


def test_other_hours_show_their_rules_and_the_week_before_they_count(node: Node) -> None:
    text = CLOSED_TODAY + "  weekdays:\n    saturday: [09:00-11:00]\n  units:\n    tax:\n      workday: [10:00-16:00]\n"
    preview = node.do("hours.preview", text)
    assert [(one.unit_id, one.day, one.before is None, one.after is None) for one in preview.rules] == [
        ("", "workday", False, False), ("", "saturday", True, False), ("service_center", "workday", False, True),
        ("tax", "workday", True, False),
    ]  # fmt: skip
    assert [one.reason for one in preview.closures_added] == ["系统升级"]
    assert (preview.now_before.reason, preview.now_after.reason) == ("未到上班时间", "系统升级")
    line = [one for one in preview.openings if not one.unit_id]
    assert [f"{one.on:%m-%d}" for one in line] == [f"03-{day:02}" for day in range(4, 11)]
    assert line[0].before == (
        (moment("03-04 09:00"), moment("03-04 12:00")), (moment("03-04 13:30"), moment("03-04 17:30"))
    )  # fmt: skip
    assert line[0].after == ()
    assert (line[3].before, line[3].after) == ((), ((moment("03-07 09:00"), moment("03-07 11:00")),))
    thursday = {one.unit_id: (one.before, one.after) for one in preview.openings if one.on == line[1].on}
    assert list(thursday) == ["", "service_center", "tax"]
    assert thursday["tax"] == (line[1].before, ((moment("03-05 10:00"), moment("03-05 16:00")),))
    assert not node.office.opening().is_open
    assert not node.events()


def test_hours_count_at_once_and_after_a_restart_and_are_taken_back_after_one(node: Node) -> None:
    running = node.office.as_it_is()
    node.do("hours.apply", EARLIER, ADMIN, "提前一小时")
    assert node.office.opening().is_open
    assert not running.opening().is_open, "a call keeps what it began with"
    assert node.operations.hours.text() == EARLIER
    node.start()
    assert node.office.opening().is_open
    node.do("hours.undo", ADMIN)
    assert not node.office.opening().is_open
    assert "service_center" in node.office.hours.settings.units
    node.start()
    assert not node.office.opening().is_open
    applied, undone = node.events()
    assert (applied["what"], applied["file"], applied["who"], applied["why"]) == (
        "hours", "hours.yaml", ADMIN, "提前一小时")
    assert applied["version_after"] == undone["version_before"] != ""
    assert undone["is_undo"]
    assert node.refusal("hours.undo", ADMIN) == "site.nothing_to_undo"


def test_a_switch_that_is_set_goes_on_when_hours_change_and_are_taken_back(node: Node) -> None:
    node.do("hours.set_switch", "night", "防汛", moment("03-04 09:00"), ADMIN)
    assert not node.do("hours.apply", EARLIER, ADMIN).now_after.is_open
    assert node.office.opening().reason == "防汛"
    node.start()
    assert node.office.opening().reason == "防汛"
    node.do("hours.undo", ADMIN)
    assert node.office.opening().reason == "防汛"


@pytest.mark.parametrize(("text", "line", "key"), [
    ("hours:\n  workday: [12:00-09:00]\n", 2, "hours.workday[0]"),
    ("hours:\n  weekdays:\n    caturday: [09:00-12:00]\n", 3, "hours.weekdays.caturday"),
    ("hours:\n  units:\n    nobody:\n      workday: [09:00-12:00]\n", 3, "hours.units.nobody"),
    (EARLIER + "  switch: {state: day, reason: x, until: 2030-01-01T00:00}\n", 3, "hours.switch"),
    (EARLIER + "  closures:\n    - {start: 2026-03-05T08:00, end: 2026-03-04T18:00, reason: x}\n", 4,
     "hours.closures[0]"),
    ("workday: [09:00-12:00]\n", 1, "workday"),
    ("hours: [\n", 2, ""),
])  # fmt: skip
def test_hours_with_faults_name_their_lines_and_change_nothing(node: Node, text: str, line: int, key: str) -> None:
    faults = node.do("hours.preview", text).faults
    assert (line, key) in [(fault.line, fault.key) for fault in faults]
    assert all(fault.message for fault in faults)
    assert node.refusal("hours.apply", text, ADMIN) == "hours.faults"
    assert not node.events()


@pytest.mark.parametrize("syncs", [0, 2], ids=["what was before", "the file itself"])
def test_a_change_that_the_disk_does_not_take_is_refused_and_listed_as_one_that_came_to_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch, syncs: int
) -> None:
    before = node.operations.hours.text()
    with monkeypatch.context() as full:
        full.setattr("node.operations.site.files.os.fsync", no_space_after(syncs))
        assert node.refusal("hours.apply", EARLIER, ADMIN) == "site.not_written"
    assert (node.operations.hours.text(), node.office.opening().is_open) == (before, False)
    assert "site" not in [kind for kind, _ in node.told]
    assert node.refusal("hours.undo", ADMIN) == "site.nothing_to_undo"
    done_and_undone = [(event["who"], event["version_before"], event["version_after"]) for event in node.events()[:2]]
    (_, was, wanted), *_ = done_and_undone
    assert done_and_undone == [(ADMIN, was, wanted), ("service", wanted, was)]
    assert not [path for path in node.data_dir.rglob("*") if path.is_file()]


def test_a_change_that_cannot_be_taken_back_for_a_full_disk_stays_and_can_be_later(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.do("hours.apply", EARLIER, ADMIN)
    later = EARLIER.replace("08:00", "08:15")
    node.do("hours.apply", later, ADMIN)
    with monkeypatch.context() as full:
        full.setattr("node.operations.site.files.os.fsync", no_space_after(0))
        assert node.refusal("hours.undo", ADMIN) == "site.not_written"
    assert node.operations.hours.text() == later
    assert [event["is_undo"] for event in node.events()] == [False, False, True, False]
    node.do("hours.undo", ADMIN)
    assert node.operations.hours.text() == EARLIER


def no_space_after(syncs: int) -> Callable[[int], None]:
    """Return an fsync that finds the disk full after some that do not."""
    left, fsync = iter(range(syncs)), os.fsync

    def sync(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    return sync


def test_a_unit_with_hours_set_at_run_time_is_not_taken_out_of_the_directory(node: Node) -> None:
    node.do("hours.apply", EARLIER + "  units:\n    fire:\n      workday: [09:00-12:00]\n", ADMIN)
    assert "fire" in {unit.unit_id for unit in node.office.directory.units}
    lines = node.operations.directory.text().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if line.startswith("  fire:"))
    after = next(n for n in range(first + 1, len(lines)) if not lines[n].startswith("   "))
    faults = node.do("directory.preview", "".join(lines[:first] + lines[after:])).faults
    assert any("'fire'" in fault.message for fault in faults)


def test_hours_of_a_unit_that_is_gone_are_not_taken_up_again(node: Node) -> None:
    node.do("hours.apply", EARLIER, ADMIN)
    directory = node.office.directory
    left = tuple(unit for unit in directory.units if unit.unit_id != "service_center")
    directory.become(type(directory)(directory.matters, left, directory.seats))
    assert node.refusal("hours.undo", ADMIN) == "hours.faults"
    assert node.operations.hours.text() == EARLIER


def test_a_site_does_not_start_with_changed_hours_that_do_not_fit_it_any_more(node: Node) -> None:
    node.do("hours.apply", EARLIER, ADMIN)
    file = node.data_dir / FOLDER / "hours.yaml"
    file.write_text(EARLIER + "  units:\n    navy:\n      workday: [09:00-12:00]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as wrong:
        node.start()
    assert [(fault.file, fault.line, fault.key) for fault in wrong.value.faults] == [(str(file), 4, "hours.units.navy")]
