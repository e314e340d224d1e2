"""The morning ladder: when each step comes, what is late, what a later step makes pointless."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest

from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.timetable.ladder import (
    ALL_TIERS,
    Step,
    due_steps,
    next_step_at,
    plan,
    step_key,
    superseding,
    tiers_open,
)
from config import settings
from config.errors import ConfigError
from config.ladder import LadderRules, LadderSettings
from tests.fakes.orders import CALENDAR, an_order, moment

LADDER = LadderSettings()


def due_at(order: Order, at: str, ladder: LadderSettings = LADDER) -> list[Step]:
    return [step for step, _, _ in due_steps(order, moment(at), ladder, CALENDAR)]


def test_the_steps_come_at_the_times_of_the_design() -> None:
    planned = plan(an_order(), LADDER, CALENDAR)
    assert [(step, f"{at:%m-%d %H:%M:%S}") for step, at, _ in planned] == [
        (Step.DIGEST, "03-03 17:00:00"),
        (Step.REMINDER, "03-04 08:45:00"),
        (Step.FIRST_DIAL, "03-04 09:00:00"),
        (Step.SECOND_TIER, "03-04 09:12:00"),
        (Step.HEAD, "03-04 09:25:00"),
        (Step.LEADER, "03-04 09:40:00"),
        (Step.BREACH, "03-04 10:00:00"),
    ]


def test_the_digest_of_a_holiday_goes_out_on_the_workday_before_it() -> None:
    # 2026-02-14 is a make-up workday, the next one is Tuesday 2026-02-24
    order = an_order("02-14 16:00", deadline=deadline(CALENDAR, moment("02-14 16:00"), missed_in_hours=True))
    assert plan(order, LADDER, CALENDAR)[0][:2] == (Step.DIGEST, moment("02-14 17:00"))
    assert due_at(order, "02-14 17:00") == [Step.DIGEST]


def test_an_order_that_came_after_the_digest_has_none() -> None:
    assert due_at(an_order("03-03 20:00"), "03-03 20:01") == []


def test_nothing_is_due_twice() -> None:
    order = an_order()
    assert due_at(order, "03-04 08:45") == [Step.REMINDER]
    order = replace(order, steps_done=frozenset({step_key(Step.REMINDER, order)}))
    assert due_at(order, "03-04 08:50") == []


def test_a_redated_order_runs_its_ladder_anew() -> None:
    order = an_order()
    order = replace(order, steps_done=frozenset(step_key(step, order) for step in Step))
    moved = replace(order, deadline=replace(order.deadline, due_at=moment("03-05 10:00")))
    assert due_at(order, "03-05 09:00") == []
    assert due_at(moved, "03-05 09:00") == [Step.DIGEST, Step.REMINDER, Step.FIRST_DIAL]


def test_a_step_is_late_when_it_was_missed_not_when_the_sweep_took_a_moment() -> None:
    order = an_order()
    assert due_steps(order, moment("03-04 08:45:59"), LADDER, CALENDAR)[0][2] is False
    assert due_steps(order, moment("03-04 08:46:01"), LADDER, CALENDAR)[0][2] is True


def test_an_order_of_0850_is_reminded_of_at_once_and_not_called_late() -> None:
    order = an_order("03-04 08:50")
    assert due_steps(order, moment("03-04 08:50"), LADDER, CALENDAR) == [
        (Step.REMINDER, moment("03-04 08:45"), False)
    ]


@pytest.mark.parametrize(
    ("step", "at", "by"),
    [
        (Step.REMINDER, "09:00", Step.FIRST_DIAL),
        (Step.FIRST_DIAL, "09:50", None),
        (Step.SECOND_TIER, "09:26", Step.HEAD),
        (Step.HEAD, "09:45", Step.LEADER),
        (Step.LEADER, "09:59", None),
        (Step.LEADER, "10:00", Step.BREACH),
        (Step.BREACH, "11:00", None),
    ],
)
def test_what_is_late_is_done_if_it_still_helps(step: Step, at: str, by: Step | None) -> None:
    due = due_steps(an_order(), moment(f"03-04 {at}"), LADDER, CALENDAR)
    assert superseding(step, due) is by


def test_a_settled_order_has_nothing_to_come() -> None:
    for state in (OrderState.REACHED, OrderState.CLOSED, OrderState.MERGED):
        assert due_at(an_order(state=state), "03-04 10:00") == []


def test_a_self_reported_order_is_left_in_peace_until_its_deadline() -> None:
    order = an_order(state=OrderState.SELF_REPORTED, self_reported_at=moment("03-04 09:05"))
    assert due_at(order, "03-04 09:59:59") == []
    assert due_at(order, "03-04 10:00") == [Step.BREACH]


def test_a_reopened_order_that_was_kept_in_time_is_not_frozen_overdue() -> None:
    kept = an_order(state=OrderState.OPENED, reached_at=moment("03-04 09:10"))
    assert Step.BREACH not in due_at(kept, "03-04 15:00")


def test_a_broken_promise_is_a_step_of_its_own_and_opens_the_second_tier() -> None:
    order = an_order(promised_at=moment("03-04 09:11"))
    assert Step.PROMISE not in due_at(order, "03-04 09:10")
    assert Step.PROMISE in due_at(order, "03-04 09:11")
    assert tiers_open(replace(order, steps_done=frozenset({step_key(Step.PROMISE, order)}))) == 2


def test_the_tiers_open_with_the_steps_done_for_this_deadline() -> None:
    order = an_order()

    def with_done(*steps: Step) -> int:
        return tiers_open(replace(order, steps_done=frozenset(step_key(step, order) for step in steps)))

    assert with_done(Step.FIRST_DIAL) == 1
    assert with_done(Step.SECOND_TIER) == 2
    assert with_done(Step.HEAD) == ALL_TIERS
    assert tiers_open(replace(order, steps_done=frozenset({"head@2026-03-01T10:00:00+08:00"}))) == 1


def test_the_next_step_is_known_in_advance() -> None:
    assert next_step_at(an_order(), moment("03-04 08:45"), LADDER, CALENDAR) == moment("03-04 09:00")


def test_a_unit_may_have_times_of_its_own() -> None:
    ladder = LadderSettings(units={"tax": LadderRules(reminder_at=time(8, 30), second_tier_at=time(9, 5))})
    assert due_at(an_order(), "03-04 08:30", ladder) == [Step.REMINDER]
    assert due_at(an_order(unit_id="market"), "03-04 08:30", ladder) == []
    assert ladder.of("tax").head_at == time(9, 25)
    assert ladder.of("market").second_tier_at == time(9, 12)


def written(folder: Path, text: str) -> Path:
    file = folder / "hotline.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_times_are_read_as_yaml_11_leaves_them(tmp_path: Path) -> None:
    # an unquoted 17:00 is a number of base 60 to YAML 1.1, 08:45 is a text
    ladder = settings.load(written(tmp_path, "ladder: {digest_at: 17:00, reminder_at: 08:45}\n")).ladder
    assert (ladder.digest_at, ladder.reminder_at) == (time(17), time(8, 45))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('ladder: {leader_at: "09:10"}', "leader_at .* is before head_at"),
        ('ladder: {leader_at: "10:00"}', "leader_at .* is not before the deadline"),
        ('ladder: {units: {tax: {first_dial_at: "09:20"}}}', "units.tax: second_tier_at .* is before first_dial_at"),
        ("ladder: {max_tries_per_day: 2}", "less than min_tries"),
        ('ladder: {remindr_at: "08:45"}', "remindr_at"),
    ],
)
def test_a_ladder_that_cannot_be_climbed_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        settings.load(written(tmp_path, text + "\n"))
