"""A line is killed under a call: the caller is released, his wish is kept once, and another line is ready."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.phone import Phone
from demo.tones import read_samples, tone_levels
from ivr.line.messages import LegEnded
from tests.sip.house import CALLER_TONE, SPECIALIST_TONE, TUESDAY_EVENING, TUESDAY_MORNING, House, until

pytestmark = pytest.mark.sip
# design rule 14 says at once; a machine with other work to do gets some patience
_RELEASED_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def house(open_house: Callable[..., House]) -> House:
    house = open_house(lines={"count": 4, "spare": 2})
    house.close_numbers("6102", "6103")
    return house


@pytest.fixture(scope="module")
def specialist(house: House) -> Phone:
    return house.desk_phone("6101", SPECIALIST_TONE)


def kill_line_under(house: House, caller: Phone, kind: str) -> tuple[LegEnded, dict[str, Any]]:
    """Kill the caller's line; see that he is released, that there is one order, and that a new line takes the place.

    Returns how his call ended, and the order.
    """
    died = house.lines()["died"]
    line = house.line_of(caller)
    line.kill()
    ended = caller.wait_ended(_RELEASED_WITHIN_S)
    assert ended.by_remote, caller.story()
    record = house.record(caller)
    assert record["outcome"] == "line_lost"
    assert record["cause"] == "the line died"
    assert house.ends_logged(record["call_id"]) == 1
    order = house.order(caller)
    assert (order["kind"], order["order_id"]) == (kind, record["order_ids"][0])
    assert order["callback_number"] == caller.number
    until("a line in place of the dead one", lambda: house.lines()["free"] >= 2 and house.lines()["total"] >= 2)
    assert house.lines()["died"] == died + 1
    assert not line.is_running()
    return ended, order


def test_a_line_killed_in_the_menu_releases_the_caller_and_keeps_his_order(house: House) -> None:
    house.service.set_clock(TUESDAY_MORNING)
    caller = house.caller()
    house.ring_up(caller)
    house.wait_step(caller, "menu")
    _, order = kill_line_under(house, caller, "interrupted")
    assert order["matter_id"] == "general"  # he had chosen none


def test_a_line_killed_while_a_specialist_rings_stops_that_phone_too(house: House, specialist: Phone) -> None:
    house.service.set_clock(TUESDAY_MORNING)
    specialist.never_answer()
    caller = house.caller()
    house.ring_up(caller, "4")
    specialist.wait_ringing(20)
    _, order = kill_line_under(house, caller, "interrupted")
    assert order["matter_id"] == "food_license"
    assert specialist.wait_ended(_RELEASED_WITHIN_S).sip_status == 487


@pytest.mark.listens
def test_a_line_killed_while_two_talk_releases_both(house: House, specialist: Phone) -> None:
    house.service.set_clock(TUESDAY_MORNING)
    specialist.auto_answer(0.2, then_press="1", press_after_s=0.3)
    caller = house.caller()
    house.ring_up(caller, "4")
    specialist.wait_answered(20)
    time.sleep(1.5)
    pair = house.exchange.audio_matrix(caller, specialist, seconds=1.0)
    assert pair.all_hear_each_other(), pair
    caller.talk()
    specialist.talk()
    time.sleep(2.0)
    kill_line_under(house, caller, "interrupted")
    assert specialist.wait_ended(_RELEASED_WITHIN_S).by_remote
    record = house.record(caller)
    assert record["recordings_cut"] == record["recordings"]  # its last sound died with the line
    talk = Path(record["recordings"][0])
    assert tone_levels(talk, {"caller": CALLER_TONE}, -1.0)["caller"] > -40


@pytest.mark.listens
def test_a_line_killed_while_it_records_a_message_leaves_what_was_said(house: House) -> None:
    house.service.set_clock(TUESDAY_EVENING)
    caller = house.caller()
    house.ring_up(caller, "2")
    house.wait_step(caller, "number")
    caller.press("1")
    house.wait_recording(caller)
    caller.talk()
    time.sleep(5.0)
    _, order = kill_line_under(house, caller, "interrupted")
    assert (order["matter_id"], order["due_at"][:16]) == ("tax", "2026-03-11T10:00")
    message = Path(str(order["message_path"]))
    seconds = len(read_samples(message)) / 8000
    assert seconds > 2.0, "up to 1.6 s of 5 s may be missing"
    assert tone_levels(message, {"caller": CALLER_TONE}, -1.0)["caller"] > -40


def test_after_all_that_the_next_caller_is_served(house: House, specialist: Phone) -> None:
    house.service.set_clock(TUESDAY_MORNING)
    specialist.auto_answer(0.2, then_press="1", press_after_s=0.3)
    caller = house.caller()
    house.ring_up(caller, "4")
    specialist.wait_answered(20)
    time.sleep(1.5)
    pair = house.exchange.audio_matrix(caller, specialist, seconds=1.0)
    assert pair.all_hear_each_other(), pair
    caller.hangup()
    house.service.wait_idle(30)
    # each caller of this module has one order, and none has two
    owners = [order["callback_number"] for order in house.service.ask("orders", limit=100)]
    assert len(owners) == len(set(owners)) == len(house.service.ask("calls", limit=100))
