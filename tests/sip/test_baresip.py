"""A telephone of another make as caller, seat and specialist: what two of a kind agree on proves nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.phone import Phone
from tests.sip import baresip
from tests.sip.baresip import Baresip
from tests.sip.house import SEAT_TONE, TUESDAY_EVENING, TUESDAY_MORNING, House, until

pytestmark = [pytest.mark.sip, pytest.mark.skipif(not baresip.is_installed(), reason="baresip is not installed")]

Make = Callable[..., Baresip]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Start phones: make("13800009999"), make("8001", answers=True)."""
    phones: list[Baresip] = []

    def start(number: str, **how: bool) -> Baresip:
        phones.append(Baresip(tmp_path / number, number, **how))
        return phones[-1]

    yield start
    for phone in phones:
        phone.close()


@pytest.fixture(scope="module")
def day(open_house: Callable[..., House]) -> House:
    return open_house(TUESDAY_MORNING, lines={"count": 4, "spare": 2})


def test_by_night_it_chooses_a_matter_and_a_number_with_keys_in_its_own_payload_number(
    open_house: Callable[..., House], make: Make
) -> None:
    night = open_house(TUESDAY_EVENING, lines={"count": 2, "spare": 1})
    caller = make("13800009901")
    caller.dial(night.service.uri)
    caller.wait_event("CALL_ESTABLISHED")
    caller.press("3")
    step = until("a question for the number", lambda: _step(night) == "number" or None)
    assert step
    caller.press("2")
    until("the number is asked for", lambda: night.service.events("prompt_started") or True)
    caller.press("13800112200#", pause_s=0.25)
    until("a number read back", lambda: _is_recorded_after(night, caller, "1"))
    caller.hangup()
    order = until("an order", lambda: _orders(night, caller.number))[0]
    assert (order["matter_id"], order["callback_number"]) == ("social_insurance", "13800112200")


def test_as_a_specialist_it_accepts_with_a_key_in_its_own_payload_number(day: House, make: Make) -> None:
    specialist, caller = make("6101", answers=True), day.caller()
    day.switchboard.connect("6101", specialist.sip_port)
    day.ring_up(caller, "4")
    specialist.wait_event("CALL_ESTABLISHED")
    until("key 1 accepted", lambda: _accepts(day, specialist, caller))
    caller.hangup()
    specialist.wait_event("CALL_CLOSED")
    assert day.record(caller)["transfer"] == "accepted"


def test_as_a_seat_it_puts_a_caller_through_with_its_keys(day: House, make: Make) -> None:
    seat, caller = make("8001", answers=True), day.caller()
    specialist = day.desk_phone("6101", SEAT_TONE)
    day.switchboard.connect("8001", seat.sip_port)
    day.ring_up(caller, "1")
    seat.wait_event("CALL_ESTABLISHED")
    time.sleep(0.3)
    seat.press("1")  # the key ends the whisper
    until("caller and seat talk", lambda: (day.running(caller) or {}).get("stage") == "with_seat" or None)
    seat.press("*#", pause_s=0.3)
    specialist.wait_ringing(20)
    caller.hangup()
    seat.wait_event("CALL_CLOSED")
    assert {leg["role"] for leg in day.record(caller)["legs"]} == {"caller", "seat", "specialist"}


def _step(house: House) -> str:
    calls = house.service.ask("status")["calls"]
    return calls[0]["step"] if calls else ""


def _orders(house: House, number: str) -> list[dict[str, object]]:
    return [order for order in house.service.ask("orders", limit=200) if order["caller_number"] == number]


def _is_recorded_after(house: House, caller: Baresip, key: str) -> bool:
    """Press `key` until a message is recorded: the number is being read back, and the key confirms it."""
    caller.press(key, pause_s=0.5)
    calls = house.service.ask("status")["calls"]
    return bool(calls and calls[0]["recording"])


def _accepts(house: House, specialist: Baresip, caller: Phone) -> bool:
    specialist.press("1", pause_s=0.3)
    return (house.running(caller) or {}).get("stage") == "with_specialist"
