"""What a caller meets by night and by day: a merged order, a number he keys, no menu, an order that is told."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from demo.phone import Phone
from ivr.speech.prompts import Prompt
from routing.clock import in_shanghai
from tests.sip.heard import is_heard
from tests.sip.house import SEAT_TONE, TUESDAY_EVENING, TUESDAY_MORNING, House, until
from tests.sip.services import SAMPLE

pytestmark = pytest.mark.sip


@pytest.fixture(scope="module")
def night(open_house: Callable[..., House]) -> House:
    return open_house(TUESDAY_EVENING, lines={"count": 4, "spare": 2})


def leave_order(house: House, caller: Phone, matter_key: str, heard: Path) -> None:
    """Let a caller leave an order without a message; what he hears from its number on is in `heard`."""
    house.ring_up(caller, matter_key)
    house.wait_step(caller, "number")
    caller.press("1")
    house.wait_recording(caller)
    caller.talk()
    time.sleep(1.5)
    caller.hush()
    caller.listen_to(heard)
    caller.press("#1")  # the end of the message, and keep it
    caller.wait_ended(60)
    caller.stop_listening()
    house.service.wait_idle()


@pytest.mark.listens
def test_a_repeated_call_is_merged_into_the_open_order_and_told_so(night: House, tmp_path: Path) -> None:
    caller = night.caller()
    night.ring_up(caller, "2")
    night.wait_step(caller, "number")
    caller.hangup()  # half way: this too is an order
    night.service.wait_idle()
    first = night.order(caller)
    leave_order(night, caller, "2", tmp_path / "second.wav")
    merged = night.order(caller)
    records = night.records(caller)
    assert merged["order_id"] == first["order_id"]
    assert [record["order_ids"] for record in records] == [[first["order_id"]]] * 2
    assert (first["merged_calls"], len(merged["merged_calls"])) == ([], 1)
    assert merged["due_at"] == first["due_at"], "a repeated call must not move the deadline"
    told = {"order_id": first["order_id"], "due": in_shanghai(datetime.fromisoformat(first["due_at"]))}
    assert is_heard(tmp_path / "second.wav", night.service, Prompt.ORDER_MERGED, **told)
    assert not is_heard(tmp_path / "second.wav", night.service, Prompt.ORDER_OPENED, **told)


def test_a_call_about_another_matter_is_an_order_of_its_own(night: House, tmp_path: Path) -> None:
    caller = night.caller()
    for key in "23":
        night.ring_up(caller, key)
        night.wait_step(caller, "number")
        caller.hangup()
        night.service.wait_idle()
    assert {order["matter_id"] for order in night.orders(caller)} == {"tax", "social_insurance"}


@pytest.mark.listens
def test_a_caller_keys_another_number_and_hears_it_read_back(night: House, tmp_path: Path) -> None:
    caller = night.caller()
    night.ring_up(caller, "3")
    night.wait_step(caller, "number")
    caller.press("2")  # not the number he rings from
    time.sleep(1.0)
    caller.listen_to(tmp_path / "heard.wav")
    caller.press("02152551234#")
    time.sleep(8.0)
    caller.press("1")
    night.wait_recording(caller)
    caller.hangup()
    caller.stop_listening()
    order = night.order(caller)
    assert (order["callback_number"], order["caller_number"]) == ("02152551234", caller.number)
    assert is_heard(tmp_path / "heard.wav", night.service, Prompt.NUMBER_READ_BACK, number="02152551234")


@pytest.mark.parametrize("number", ["12345", "1689912345"])
def test_a_number_that_may_not_be_rung_is_refused_and_his_own_stands(night: House, number: str) -> None:
    caller = night.caller()
    night.ring_up(caller, "3")
    night.wait_step(caller, "number")
    caller.press(f"2{number}#")
    time.sleep(1.5 + 0.35 * len(number))
    assert night.running(caller)["step"] == "number"  # type: ignore[index]
    caller.hangup()
    assert night.order(caller)["callback_number"] == caller.number


def test_an_operator_may_list_calls_while_one_is_going_on(night: House) -> None:
    caller = night.caller()
    night.ring_up(caller)
    until("the call in the list", lambda: any("outcome" not in call for call in night.service.ask("calls")))
    command = [sys.executable, str(SAMPLE.parent.parent / "hotline.py"), "calls", "--data-dir"]
    listed = subprocess.run(
        [*command, str(night.service.data_dir)], capture_output=True, text=True, timeout=60, check=False
    )
    caller.hangup()
    assert listed.returncode == 0, listed.stderr
    assert "not over yet" in listed.stdout
    assert caller.number not in listed.stdout


def test_without_a_menu_the_caller_gets_a_person_at_once(open_house: Callable[..., House], tmp_path: Path) -> None:
    house = open_house(TUESDAY_MORNING, phone={"menu_enabled": False}, lines={"count": 2, "spare": 1})
    house.close_numbers("8002", "8003")
    seat = house.desk_phone("8001", SEAT_TONE).auto_answer(0.2, then_press="1", press_after_s=0.3)
    caller = house.caller()
    house.ring_up(caller)
    seat.wait_answered(30)
    time.sleep(1.5)
    pair = house.exchange.audio_matrix(caller, seat, seconds=1.0)
    assert pair.all_hear_each_other(), pair
    caller.hangup()
    record = house.record(caller)
    assert "menu" not in record["steps"]
    assert (record["key_path"], record["matter_id"]) == ("", "")




@pytest.mark.parametrize(
    ("sent", "stored_form"),
    [("+862162345678", "02162345678"), ("013800138012", "13800138012"), ("8613800138011", "13800138011")],
)
def test_a_caller_is_not_lost_by_how_their_trunk_writes_numbers(night: House, sent: str, stored_form: str) -> None:
    caller = night.caller()
    caller.dial(night.service.uri, from_number=sent)
    caller.wait_answered()
    caller.hangup()
    night.service.wait_idle()
    orders = [order for order in night.service.ask("orders", limit=50) if order["caller_number"] == stored_form]
    assert [order["callback_number"] for order in orders] == [stored_form]
