"""The timetable asks the gate before it rings: enterprises and leaders; what is refused takes no line from others."""

from __future__ import annotations

import pytest

from callback_scheduler.timetable.may_dial import DialReason, DialRefusal
from config.ladder import LadderSettings
from tests.fakes.orders import World, an_order

REFUSED = DialRefusal(DialReason.NUMBER_CAP)


def test_an_enterprise_the_gate_refuses_is_not_rung_and_its_line_is_for_the_next() -> None:
    world = World("03-04 08:59:50")
    world.free_lines = 1
    refused, other = an_order(opened_at="03-03 19:00"), an_order(unit_id="market", matter_id="market")
    world.ledger.put(refused, other)
    world.refusals[refused.callback_number] = REFUSED
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 09:05")
    assert {order_id for _, order_id in world.rung} == {other.order_id}


def test_it_is_rung_as_soon_as_the_gate_lets_it_pass() -> None:
    world = World("03-04 08:59:50")
    order = an_order()
    world.ledger.put(order)
    world.refusals[order.callback_number] = REFUSED
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 09:05")
    world.sweep()
    assert not world.rung
    world.refusals.clear()
    world.sweep()
    assert [order_id for _, order_id in world.rung] == [order.order_id]


def test_the_gate_is_asked_again_under_the_lease() -> None:
    world = World("03-04 08:59:50")
    order = an_order()
    world.ledger.put(order)
    asked: list[str] = []

    def once(number: str) -> DialRefusal | None:
        asked.append(number)
        return REFUSED if len(asked) > 1 else None

    world.refusals = _Asked(once)  # type: ignore[assignment]
    world.timetable()
    world.go_on_until("03-04 09:00")
    world.sweep()
    assert len(asked) > 1
    assert not world.rung


class _Asked:
    def __init__(self, once: object) -> None:
        self.get = once


@pytest.mark.parametrize("reason", list(DialReason))
def test_a_leader_the_gate_refuses_is_not_rung_and_the_order_says_why(reason: DialReason) -> None:
    world = World("03-04 09:39:50", LadderSettings())
    order = an_order()
    world.ledger.put(order)
    world.refusals["6109"] = DialRefusal(reason)
    world.timetable()
    world.go_on_until("03-04 09:40")
    world.sweep()
    assert "6109" not in [number for _, number in world.reminded]
    whys = [note["why"] for note in world.ledger.notes(order.order_id, "step_done")]
    assert any("未拨打" in why for why in whys), whys
