"""Calendar, day and night, directory: shown before they change, effective at once, kept over a restart, taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from callback_scheduler.orders.actor import Actor
from routing.hours import Switch
from tests.fakes.event_log import begun, written
from tests.fakes.orders import moment
from tests.fakes.site_node import Node

ADMIN = Actor.read("admin:陈管理")
# a made-up notice: one day of 2026 more that is free, though chinesecalendar has it as a workday
NOTICE = "date,type,name\n2026-03-04,holiday,地方假日\n"


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
    for empty in ("date,type,name\n# nothing\n", "日期,类型,名称\n", "date,type,name\n,,\n"):
        assert [fault.message for fault in node.do("calendar.preview", empty).faults] == ["no day in it"]
        assert node.refusal("calendar.apply", empty, ADMIN) == "calendar.faults"
    for beyond in ("9999-12-31", "0001-01-01", "2101/1/1"):
        (fault,) = node.do("calendar.preview", f"date,type,name\n{beyond},holiday,x\n").faults
        assert (fault.line, "2004 to 2100" in fault.message) == (2, True)
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
        "calendar", str(ADMIN), "市政府通知", False)
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


@pytest.mark.parametrize("verb", ["directory", "hours"])
@pytest.mark.parametrize("text", ["a: &a [x]\nunits: *a\n", "a: x\nunits: " + "[" * 900], ids=["aliases", "nested"])
def test_a_text_that_would_take_all_memory_or_the_stack_is_a_fault_in_its_line(
    node: Node, verb: str, text: str
) -> None:
    (fault,) = node.do(f"{verb}.preview", text).faults
    assert fault.line == 2
    assert node.refusal(f"{verb}.apply", text, ADMIN) == f"{verb}.faults"


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

