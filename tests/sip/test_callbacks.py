"""Callbacks with real calls: the unit first, then the enterprise, and evidence that survives what breaks."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.exchange import PhoneExchange
from demo.phone import Phone
from demo.service import Service
from demo.switchboard import Switchboard
from routing.clock import SHANGHAI
from tests.sip.house import FAST_SPEECH, Exchange
from tests.sip.services import start_service

pytestmark = pytest.mark.sip

EVENING = datetime(2026, 3, 10, 21, 0, tzinfo=SHANGHAI)
NINE = datetime(2026, 3, 11, 9, 0, tzinfo=SHANGHAI)
IMPATIENT = {"ring_s": 5, "ring_all_s": 8, "next_tier_after_s": 3, "first_digit_s": 3, "accept_key_s": 3,
             "survey_enabled": False}


class World:
    """A service at 21:00, phones at its numbers, and an enterprise for each test."""

    def __init__(self, exchange: PhoneExchange, switchboard: Switchboard, service: Service) -> None:
        self.exchange, self.switchboard, self.service = exchange, switchboard, service

    def enterprise(self, number: str, tone_hz: int) -> Phone:
        phone = self.exchange.phone(f"enterprise {number[-1]}", number, tone_hz=tone_hz)
        self.switchboard.connect(number, phone.sip_port)
        return phone

    def specialist(self, number: str, tone_hz: int) -> Phone:
        phone = self.exchange.phone(f"specialist {number}", number, tone_hz=tone_hz)
        self.switchboard.connect(number, phone.sip_port)
        return phone

    def leave_request(self, enterprise: Phone, key: str) -> str:
        """Let an enterprise ring at night and hang up half way; return the number of its order."""
        enterprise.dial(self.service.uri)
        enterprise.wait_answered()
        time.sleep(0.5)
        enterprise.press(key)
        self.until(lambda: any(call["step"] == "number" for call in self.service.ask("status")["calls"]))
        enterprise.hangup()
        self.service.wait_idle()
        orders = self.service.ask("orders")
        return str(next(order["order_id"] for order in orders if order["callback_number"] == enterprise.number))

    def order(self, order_id: str) -> dict[str, Any]:
        return dict(self.service.ask("order", order_id=order_id))

    def until(self, claim: Callable[[], object], timeout_s: float = 30.0) -> None:
        give_up_at = time.monotonic() + timeout_s
        while not claim():
            assert time.monotonic() < give_up_at, self.service.printed()
            time.sleep(0.1)

    def until_step(self, step: str) -> dict[str, Any]:
        """Wait for a call that has come to a step, and return what an operator sees of it."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [call for call in self.service.ask("status")["calls"] if call["step"] == step]
            return bool(found)

        self.until(is_there)
        return found[0]

    def talk(self, *phones: Phone, seconds: float = 11.5) -> None:
        self.until_step("talk")
        for phone in phones:
            phone.talk()
        time.sleep(seconds)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("callbacks")
    with ExitStack() as running:
        exchange = running.enter_context(Exchange(folder))
        switchboard = running.enter_context(Switchboard())
        service = start_service(folder, switchboard.port, EVENING, {"phone": IMPATIENT, "prompts": FAST_SPEECH})
        yield World(exchange, switchboard, running.enter_context(service))


def test_the_unit_is_rung_then_the_enterprise_and_the_evidence_is_stored(world: World) -> None:
    enterprise, specialist = world.enterprise("13900000001", 430), world.specialist("6111", 1060)
    order_id = world.leave_request(enterprise, "2")
    specialist.auto_answer(0.3)
    enterprise.auto_answer(0.3)
    world.service.set_clock(NINE)
    specialist.wait_answered(20)
    time.sleep(2)
    assert world.switchboard.count("INVITE", enterprise.number) == 0
    specialist.press("1")
    enterprise.wait_answered(15)
    world.talk(enterprise, specialist)
    matrix = world.exchange.audio_matrix(enterprise, specialist, seconds=1.0)
    specialist.hangup()
    enterprise.wait_ended(40)
    world.until(lambda: world.order(order_id)["state"] == "reached")
    assert matrix.all_hear_each_other(), str(matrix)
    (attempt,) = world.order(order_id)["attempts"]
    evidence = attempt["evidence"]
    assert (attempt["outcome"], evidence["unit_number"]) == ("reached", "6111")
    assert evidence["two_way_s"] >= 10
    assert Path(evidence["recording"]).stat().st_size > 100_000
    assert world.switchboard.count("INVITE", enterprise.number) == 1


def test_evidence_survives_the_line_that_is_killed_in_the_talk(world: World) -> None:
    world.service.set_clock(EVENING + timedelta(minutes=10))
    enterprise, specialist = world.enterprise("13900000002", 610), world.specialist("6121", 1150)
    order_id = world.leave_request(enterprise, "3")
    specialist.auto_answer(0.3, then_press="1", press_after_s=1.0)
    enterprise.auto_answer(0.3)
    world.service.set_clock(NINE + timedelta(minutes=5))
    enterprise.wait_answered(20)
    world.talk(enterprise, specialist, seconds=13)
    os.kill(world.until_step("talk")["pid"], signal.SIGKILL)
    assert enterprise.wait_ended(5).by_remote
    assert specialist.wait_ended(5).by_remote
    world.until(lambda: world.order(order_id)["state"] == "reached")
    assert world.switchboard.count("INVITE", enterprise.number) == 1


def test_a_specialist_who_dials_in_is_connected_by_the_number_of_the_order(world: World) -> None:
    world.service.set_clock(EVENING + timedelta(minutes=20))
    enterprise, specialist = world.enterprise("13900000003", 790), world.specialist("6101", 1230)
    order_id = world.leave_request(enterprise, "1")
    enterprise.auto_answer(0.3)
    world.service.set_clock(NINE - timedelta(minutes=40))  # before the timetable dials
    specialist.dial(world.service.uri)
    specialist.wait_answered()
    world.until_step("specialist dials in")
    time.sleep(1.0)  # nobody keys before he hears the question
    specialist.press(order_id + "#")
    enterprise.wait_answered(20)
    world.talk(enterprise, specialist)
    specialist.hangup()
    enterprise.wait_ended(40)
    world.until(lambda: world.order(order_id)["state"] == "reached")
    (attempt,) = world.order(order_id)["attempts"]
    assert (attempt["by"], attempt["unit_number"]) == ("specialist", "6101")


def test_an_enterprise_that_rings_again_is_put_through_to_its_unit(world: World) -> None:
    world.service.set_clock(EVENING + timedelta(minutes=30))
    enterprise = world.enterprise("13900000004", 430)
    order_id = world.leave_request(enterprise, "2")
    world.switchboard.refuse("6112", 486)
    specialist = world.specialist("6111", 1060)
    world.switchboard.refuse(enterprise.number, 486)  # it misses us, so that it rings itself
    specialist.auto_answer(0.3, then_press="1", press_after_s=1.0)
    world.service.set_clock(NINE + timedelta(minutes=15))
    world.until(lambda: world.order(order_id)["state"] == "not_reached")
    assert world.order(order_id)["attempts"][0]["outcome"] == "enterprise_busy"
    enterprise.dial(world.service.uri)
    specialist.wait_answered(30)
    world.talk(enterprise, specialist)
    specialist.hangup()
    enterprise.wait_ended(40)
    world.until(lambda: world.order(order_id)["state"] == "reached")
    assert [attempt["by"] for attempt in world.order(order_id)["attempts"]] == ["timetable", "enterprise"]


def test_a_leader_is_rung_and_acknowledges_by_key(world: World) -> None:
    world.service.set_clock(EVENING + timedelta(minutes=40))
    enterprise, leader = world.enterprise("13900000005", 970), world.specialist("6129", 1310)
    order_id = world.leave_request(enterprise, "3")
    for number in ("6121", "6122", "6123"):
        world.switchboard.refuse(number, 486)
    leader.auto_answer(0.3, then_press="1", press_after_s=2.0)
    world.service.set_clock(NINE + timedelta(minutes=40))
    leader.wait_answered(20)
    leader.wait_ended(20)
    world.until(lambda: any(key.startswith("leader_acknowledged@") for key in world.order(order_id)["steps_done"]))
    assert world.switchboard.count("INVITE", enterprise.number) == 0
