"""The timetable when the wall clock jumps, and when a notice of holidays moves what is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from config.errors import ConfigError, Fault
from routing.calendar import Calendar, DayType
from routing.calendar_file import ListedDay
from tests.fakes.orders import World, an_order, moment


@pytest.fixture
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> list[World]:
    """Let APScheduler read the wall clock of the world that a test puts into this list."""
    worlds: list[World] = []

    class WallClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return worlds[0].clock.now().astimezone(tz)

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", WallClock)
    return worlds


@pytest.mark.parametrize("is_seen_by_a_sweep", [False, True])
@pytest.mark.parametrize("hours", [-1, 1, -24 * 3650, 24 * 3650])
def test_a_step_of_the_wall_clock_does_not_freeze_the_timetable(
    wall_clock: list[World], monkeypatch: pytest.MonkeyPatch, hours: int, is_seen_by_a_sweep: bool
) -> None:
    world = World("03-04 06:00")
    wall_clock.append(world)
    sweeps = 0
    timetable = world.timetable()
    timetable.start()
    world.time.advance(3)
    world.clock.advance(timedelta(hours=hours))
    if is_seen_by_a_sweep:  # before the look at the clock that is taken every second
        world.sweep()
    read = world.ledger.due_slices

    async def counted(*args: Any) -> Any:
        nonlocal sweeps
        sweeps += 1
        return await read(*args)

    monkeypatch.setattr(world.ledger, "due_slices", counted)
    for _ in range(60):
        world.time.advance(1)
    assert sweeps >= 11
    assert timetable.status()["clock_jumped_s"] == hours * 3600
    world.done(timetable.stop())


def test_the_house_is_kept_every_five_minutes_but_not_by_a_clock_that_jumped_far(wall_clock: list[World]) -> None:
    world = World("03-04 09:00")
    wall_clock.append(world)
    world.timetable().start()
    world.go_on_until("03-04 09:11")
    kept = len(world.house_kept)
    assert kept == 3
    world.clock.advance(timedelta(days=3650))
    for _ in range(900):
        world.time.advance(1)
    assert len(world.house_kept) == kept


def test_an_hour_s_step_back_repeats_nothing() -> None:
    world = World("03-04 08:50")
    order = an_order()
    world.ledger.put(order)
    world.timetable()
    world.sweep()
    world.clock.advance(timedelta(hours=-1))
    world.sweep()
    world.go_on_until("03-04 08:50")
    assert world.told_of("reminder") == [order.order_id]


def test_a_clock_that_jumps_ten_years_neither_dials_nor_freezes() -> None:
    world = World("03-04 08:50")
    orders = [an_order() for _ in range(20)]
    world.ledger.put(*orders)
    timetable = world.timetable()
    world.sweep()
    world.told.clear()
    world.clock.advance(timedelta(days=3652))
    world.sweep()
    assert (world.rung, world.told) == ([], [])
    assert all(world.order(order).overdue_at is None for order in orders)
    assert timetable.status()["is_clock_doubted"]
    world.clock.advance(timedelta(days=-3652, minutes=10))
    world.sweep()
    assert len(world.rung) == 2  # all the phones that the unit has


@pytest.mark.parametrize("hours", [3, 24, 30, -3, -24])
def test_nothing_is_frozen_or_skipped_while_the_clock_is_doubted_and_all_is_done_when_it_is_right(hours: int) -> None:
    world = World("03-04 05:45")
    order = an_order()
    world.ledger.put(order)
    world.timetable()
    world.sweep()
    world.clock.advance(timedelta(hours=hours))
    world.sweep()
    doubted = world.order(order)
    assert (doubted.overdue_at, doubted.breach_cause) == (None, "")
    assert not any(step.startswith(("reminder", "leader", "breach")) for step in doubted.steps_done)
    world.clock.advance(timedelta(hours=-hours))
    world.go_on_until("03-04 10:01")
    assert world.told_of("reminder") == [order.order_id]
    assert world.order(order).overdue_at == moment("03-04 10:00")


def test_a_clock_that_was_set_on_purpose_is_believed_and_doubted_again_when_it_jumps() -> None:
    world = World("03-04 05:45")
    order = an_order()
    world.ledger.put(order)
    timetable = world.timetable()
    world.sweep()
    world.clock.set(moment("03-04 10:01"))
    timetable.clock_was_set()
    world.sweep()
    assert world.order(order).overdue_at == moment("03-04 10:00")
    assert not timetable.status()["is_clock_doubted"]
    world.clock.advance(timedelta(hours=24))
    world.sweep()
    assert timetable.status()["is_clock_doubted"]


def revised(day: str, day_type: DayType) -> Calendar:
    on = moment(f"{day} 00:00").date()
    return Calendar({on: ListedDay(on, day_type, "临时放假", "2026.csv")})


def test_a_revised_notice_moves_deadlines_and_tells_units_once() -> None:
    world = World("03-03 21:00")
    order = an_order()
    world.ledger.put(order)
    timetable = world.timetable()
    world.sweep()
    world.calendar = revised("03-04", DayType.HOLIDAY)
    for _ in range(2):
        world.done(timetable.sweep_calendar())
    moved = world.order(order)
    assert (moved.due_at, moved.original_due_at) == (moment("03-05 10:00"), moment("03-04 10:00"))
    assert "其后首个工作日为3月5日" in moved.deadline.reason
    ((kind, _, extra),) = [told for told in world.told if told[0] == "redated"]
    assert (extra["old_due_at"], extra["new_due_at"]) == ("2026-03-04T10:00:00+08:00", "2026-03-05T10:00:00+08:00")
    (note,) = world.ledger.notes(order.order_id, "redated")
    assert note["why"] == "放假安排更新，时限由2026-03-04 10:00改为2026-03-05 10:00"
    world.go_on_until("03-04 10:01")
    assert (kind, world.rung, world.order(order).overdue_at) == ("redated", [], None)


def test_what_is_frozen_or_would_fall_into_the_past_keeps_its_deadline() -> None:
    world = World("03-04 12:00")
    frozen = an_order(overdue_at=moment("03-04 10:00"))
    later = an_order("03-03 20:00", deadline=replace(an_order().deadline, due_at=moment("03-05 10:00")))
    world.ledger.put(frozen, later)
    timetable = world.timetable()
    world.calendar = revised("03-09", DayType.HOLIDAY)
    world.done(timetable.sweep_calendar())
    assert world.order(frozen).due_at == moment("03-04 10:00")
    assert world.order(later).due_at == moment("03-05 10:00")


def test_a_wrong_calendar_file_leaves_the_one_before_in_force() -> None:
    world = World("03-03 21:00")
    timetable = world.timetable()
    before = timetable.calendar

    def wrong() -> Calendar:
        raise ConfigError([Fault("2026.csv", 3, "date", "is no day")])

    timetable._read_calendar = wrong
    world.done(timetable.sweep_calendar())
    assert timetable.calendar is before
