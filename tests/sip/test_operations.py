"""What people do by hand, with real calls: a unit clicks and its own phone rings first; a switch counts at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from demo.switchboard import Switchboard
from node.control_client import ControlError
from tests.sip.house import FAST_SPEECH, Exchange
from tests.sip.services import start_service
from tests.sip.test_callbacks import EVENING, IMPATIENT, NINE, World

pytestmark = pytest.mark.sip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as running:
        exchange = running.enter_context(Exchange(tmp_path))
        switchboard = running.enter_context(Switchboard())
        service = start_service(tmp_path, switchboard.port, EVENING, {"phone": IMPATIENT, "prompts": FAST_SPEECH})
        yield World(exchange, switchboard, running.enter_context(service))


def test_a_unit_that_clicks_is_rung_first_then_the_enterprise_and_it_counts_as_any_callback(world: World) -> None:
    # the second tier's phone: the ladder would not ring it at this hour
    enterprise, specialist = world.enterprise("13900000021", 430), world.specialist("6113", 1060)
    order_id = world.leave_request(enterprise, "2")
    unit_id = world.order(order_id)["unit_id"]
    specialist.auto_answer(0.3)
    enterprise.auto_answer(0.3)
    world.service.set_clock(NINE - timedelta(minutes=30))
    who = f"unit:{unit_id}:李四"
    with pytest.raises(ControlError, match="OperationRefused"):
        world.service.ask("ring_back", order_id=order_id, number="6113", who="unit:other:王五", own_number="6113")
    begun = world.service.ask("ring_back", order_id=order_id, number="6113", who=who, own_number="6113")
    assert begun["state"] == "calling_back"
    specialist.wait_answered(20)
    time.sleep(1)
    assert world.switchboard.count("INVITE", enterprise.number) == 0
    specialist.press("1")
    enterprise.wait_answered(15)
    world.talk(enterprise, specialist)
    specialist.hangup()
    enterprise.wait_ended(40)
    world.service.wait_idle()
    world.until(lambda: world.order(order_id)["state"] == "reached")
    (attempt,) = world.order(order_id)["attempts"]
    assert (attempt["by"], attempt["unit_number"], attempt["outcome"]) == ("unit", "6113", "reached")
    assert attempt["evidence"]["two_way_s"] >= 10
    assert [event["payload"]["who"] for event in world.service.ask("order_events", order_id=order_id)
            if event["payload"].get("event") == "attempt_begun"] == [who]  # fmt: skip


def test_the_line_is_switched_to_day_by_hand_and_says_so(world: World) -> None:
    assert not world.service.ask("status")["opening"]["is_open"]
    until = (EVENING + timedelta(hours=1)).isoformat()
    world.service.ask("set_switch", state="day", reason="防汛值守", until=until, who="admin:陈管理")
    opening = world.service.ask("status")["opening"]
    assert (opening["is_open"], opening["reason"]) == (True, "防汛值守")
    world.service.ask("clear_switch", who="admin:陈管理")
    assert not world.service.ask("status")["opening"]["is_open"]
    assert [change["what"] for change in world.service.ask("site_changes")] == ["switch", "switch"]
