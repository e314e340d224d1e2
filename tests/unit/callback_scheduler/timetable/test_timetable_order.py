"""In which order the timetable writes, tells and rings: what a node that dies in between leaves is looked at again."""

from __future__ import annotations

import pytest

from callback_scheduler.orders.order import AttemptOutcome
from callback_scheduler.orders.states import OrderState
from tests.fakes.event_log import Wanted, begun, written
from tests.fakes.orders import DIRECTORY, Play, World, an_order

RUNG_AT_TEN = Play(AttemptOutcome.REACHED, 120.0, 29.0)  # rung 09:59:59, talks 10:00:01


def morning(start: str, until: str, *plays: Play, state: OrderState = OrderState.SENT) -> World:
    """Let one order live from `start` to `until`."""
    world = World(start)
    order = an_order(state=state)
    world.ledger.put(order)
    world.plays[order.order_id] = list(plays)
    world.timetable()
    world.sweep()
    world.go_on_until(until)
    return world


def test_the_intent_is_on_disk_before_the_unit_is_rung() -> None:
    log = morning("03-04 09:00", "03-04 09:01").log
    assert log.first(written("order_changed", event="attempt_begun")) < log.first(begun("ring_back"))


@pytest.mark.parametrize(
    ("start", "state", "kind", "step"),
    [
        ("03-03 21:00", OrderState.OPENED, "new_order", written("order_changed", event="sent")),
        ("03-04 08:45", OrderState.SENT, "reminder", written("order_noted", why="催办")),
        ("03-04 09:12", OrderState.SENT, "escalation", written("order_noted", why="升级至第二梯次")),
        ("03-04 10:00", OrderState.SENT, "breach", written("order_noted", note="breach_frozen")),
    ],
)
def test_a_notice_is_given_before_its_step_is_recorded(start: str, state: OrderState, kind: str, step: Wanted) -> None:
    log = morning(start, start, state=state).log
    assert log.first(begun("tell", kind=kind)) < log.first(step)


@pytest.mark.parametrize(
    ("start", "number", "why"),
    [
        ("03-04 09:25", DIRECTORY.unit("tax").head_number, "升级至科室负责人"),
        ("03-04 09:40", DIRECTORY.unit("tax").leader_number, "提醒分管领导并告警督办（该单位共1件）"),
    ],
)
def test_a_leader_is_rung_after_the_step_is_recorded(start: str, number: str, why: str) -> None:
    log = morning(start, start).log
    assert log.first(written("order_noted", why=why)) < log.first(begun("remind_leader", number=number))


def test_a_talk_that_was_late_is_frozen_as_that_before_its_order_counts_as_reached() -> None:
    log = morning("03-04 09:59:30", "03-04 10:05", RUNG_AT_TEN).log
    told, frozen = begun("tell", kind="breach"), written("order_noted", note="breach_frozen")
    assert log.first(told) < log.first(frozen) < log.first(written("order_changed", event="reached"))
