"""Hours and closures that are changed while the node runs: shown before, at once, and taken back."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from callback_scheduler.orders.actor import Actor
from config.errors import ConfigError
from routing.site_changes import FOLDER
from tests.fakes.orders import moment
from tests.fakes.site_node import Node

EARLIER = "hours:\n  workday: [08:00-12:00, 13:30-17:30]\n"
CLOSED_TODAY = EARLIER + "  closures:\n    - {start: 2026-03-04T08:00, end: 2026-03-04T18:00, reason: 系统升级}\n"

ADMIN = Actor.read("admin:陈管理")
# a made-up notice: one day of 2026 more that is free, though chinesecalendar has it as a workday




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
        "hours", "hours.yaml", str(ADMIN), "提前一小时")
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
    (EARLIER + "  closures:\n    - {start: 2026-03-05T08:00, end: 9999-12-31T23:59Z, reason: x}\n", 4,
     "hours.closures[0].end"),
    (EARLIER + "  closures:\n    - {start: 0001-01-01T00:00, end: 2026-03-05T08:00, reason: x}\n", 4,
     "hours.closures[0].start"),
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
    assert done_and_undone == [(str(ADMIN), was, wanted), ("service", wanted, was)]
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


CLOSED = """hours:
  closures:
    - {start: 2026-03-05T00:00, end: 2026-03-08T00:00, reason: "台风,停工"}
    - {start: 2026-03-09T10:01, end: 2026-03-09T18:00, reason: 下午停电}
    - {start: 2026-03-10T09:00, end: 2026-03-10T11:00, reason: 搬迁, units: [tax]}
    - {start: 2026-03-02T00:00, end: 2026-03-04T08:00, reason: 已过}
"""


def test_a_closure_that_covers_a_deadline_says_so_and_how_to_move_it(node: Node) -> None:
    hit = node.do("hours.preview", CLOSED).closed_deadlines
    assert [(f"{one.on}", one.closure.units, one.calendar_row) for one in hit] == [
        ("2026-03-05", (), "2026-03-05,holiday,台风，停工"), ("2026-03-06", (), "2026-03-06,holiday,台风，停工"),
        ("2026-03-10", ("tax",), ""),
    ]  # fmt: skip
    order = node.order()
    rows = "\n".join(one.calendar_row for one in hit if one.calendar_row)
    moved = node.do("calendar.preview", f"date,type,name\n2026-03-04,holiday,x\n{rows}\n").moved
    assert [(one.order_id, f"{one.due_after:%m-%d %H:%M}") for one in moved] == [(order.order_id, "03-09 10:00")]
