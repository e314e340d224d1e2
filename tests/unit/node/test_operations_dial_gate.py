"""Whoever clicks meets the one gate of outgoing calls: its hours, pauses and caps, and who may overrule them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.holds import Hold
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from ivr.refused import OperationRefused
from tests.unit.node.test_operations_orders import SUPERVISOR, TAX, Desk

PROGRAM, ADMIN = Actor.read("api:assistant"), Actor.read("admin:林")
NIGHT = "03-03 21:18"
CLICKS: list[tuple[str, tuple[Any, ...], Actor]] = [
    ("ring_unit_now", (), SUPERVISOR), ("ring_unit_now", (), PROGRAM), ("ring_back", ("6101",), TAX),
    ("ring_back", ("6101",), PROGRAM), ("remind_leader", (), SUPERVISOR),
]  # fmt: skip


@pytest.mark.parametrize(("act", "args", "who"), CLICKS)
def test_nobody_is_rung_at_night_however_often_somebody_clicks(act: str, args: tuple[Any, ...], who: Actor) -> None:
    desk = Desk(NIGHT)
    order = desk.put()
    for _ in range(6):
        assert desk.refusal(act, order, *args, who) == "dial.hours"
        desk.go_on_until(f"{desk.clock.now():%m-%d %H:%M}:16" if desk.clock.now().second < 16 else "03-03 21:30")
    assert not desk.rung
    assert not desk.reminded


def test_the_refusal_says_when_to_ring() -> None:
    desk = Desk(NIGHT)
    with pytest.raises(OperationRefused, match="08:00至18:00"):
        desk.do("ring_unit_now", desk.put(), SUPERVISOR)


@pytest.mark.parametrize("act", ["ring_unit_now", "remind_leader"])
def test_a_supervisor_overrules_with_a_reason_that_the_journal_keeps(act: str) -> None:
    desk = Desk(NIGHT)
    order = desk.put()
    desk.do(act, order, SUPERVISOR, overrule="企业要求今晚必须回电")
    assert desk.last_event()["who"] == str(SUPERVISOR)
    assert desk.last_event()["why"] == "督办越限拨打（dial.hours）：企业要求今晚必须回电"
    assert len(desk.rung) + len(desk.reminded) == 1


@pytest.mark.parametrize("who", [PROGRAM, ADMIN])
@pytest.mark.parametrize("act", ["ring_unit_now", "remind_leader"])
def test_nobody_else_overrules(act: str, who: Actor) -> None:
    desk = Desk(NIGHT)
    assert desk.refusal(act, desk.put(), who, overrule="急") == "dial.overrule_not_yours"
    assert not desk.rung
    assert not desk.reminded


def test_a_number_that_may_not_be_rung_is_not_overruled() -> None:
    desk = Desk("03-04 09:30")
    order = desk.put(callback_number="16812345678")
    assert desk.refusal("ring_unit_now", order, SUPERVISOR, overrule="急") == "number.not_dialable"
    assert desk.refusal("ring_back", order, "6101", TAX) == "number.not_dialable"
    assert desk.refusal("ring_back", desk.put(), "110", TAX, own_number="110") == "number.not_of_unit"


def test_a_second_click_waits_a_minute_after_the_first_call_has_ended() -> None:
    desk = Desk("03-04 08:30")
    order = desk.put()
    desk.do("ring_unit_now", order, SUPERVISOR)
    desk.go_on_until("03-04 08:30:40")  # nobody answered for 18 s
    assert desk.refusal("ring_unit_now", order, SUPERVISOR) == "dial.pause"
    assert desk.refusal("ring_back", order, "6101", TAX) == "dial.pause"
    desk.go_on_until("03-04 08:31:20")
    desk.do("ring_unit_now", order, SUPERVISOR)
    assert len(desk.rung) == 2


@pytest.mark.parametrize("hold", [Hold.CALLER, Hold.OTHER_NUMBERS, Hold.TARGET])
def test_an_order_that_waits_for_a_person_is_not_dialled_until_one_lets_it_ring(hold: Hold) -> None:
    desk = Desk("03-04 08:59:50")
    order = desk.put(hold_reason=hold.value)
    desk.sweep()
    desk.go_on_until("03-04 09:10")
    assert not desk.rung
    assert desk.refusal("ring_unit_now", order, PROGRAM) == "dial.held"
    desk.do("ring_back", order, "6101", TAX)
    assert _fresh(desk, order).hold_reason == ""
    desk.go_on_until("03-04 09:40")
    assert len(desk.rung) > 1  # the timetable goes on with what a person has let ring


def test_whose_number_said_it_was_not_theirs_is_rung_only_against_a_supervisors_reason() -> None:
    desk = Desk("03-04 09:30")
    order = desk.put(hold_reason=Hold.NOT_THEIRS.value)
    assert desk.refusal("ring_back", order, "6101", TAX) == "dial.held"
    assert desk.refusal("ring_unit_now", order, SUPERVISOR) == "dial.held"
    desk.do("ring_unit_now", order, SUPERVISOR, overrule="企业来电要求再拨")
    assert len(desk.rung) == 1


def _fresh(desk: Desk, order: Order) -> Order:
    return replace(desk.order(order), state=OrderState.SENT)
