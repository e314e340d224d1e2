"""A telephone of another make as caller, seat and specialist: what two of a kind agree on proves nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.phone import Phone
from demo.tones import tone_levels
from ivr.speech.prompts import Prompt
from tests.sip import baresip
from tests.sip.baresip import TONE_HZ, Baresip
from tests.sip.heard import is_heard
from tests.sip.house import SEAT_TONE, SPECIALIST_TONE, TUESDAY_EVENING, TUESDAY_MORNING, House, until

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
    time.sleep(1.0)  # what is keyed before the question is asked is not its answer
    caller.press("13800112200#", pause_s=0.25)
    until("a number read back", lambda: _is_recorded_after(night, caller, "1"))
    caller.hangup()
    order = until("an order", lambda: _orders(night, caller.number))[0]
    assert (order["matter_id"], order["callback_number"]) == ("social_insurance", "13800112200")


def test_as_a_specialist_it_accepts_with_a_key_in_its_own_payload_number(day: House, make: Make) -> None:
    specialist, caller = make("6101", answers=True), day.caller()
    day.switchboard.connect("6101", specialist.sip_port)
    put_through(day, caller, specialist)
    caller.hangup()
    specialist.wait_event("CALL_CLOSED")
    assert day.record(caller)["transfer"] == "accepted"


def test_as_a_seat_it_puts_a_caller_through_with_its_keys(day: House, make: Make) -> None:
    seat, caller = make("8001", answers=True), day.caller()
    specialist = day.desk_phone("6101", SEAT_TONE)
    day.switchboard.connect("8001", seat.sip_port)
    talk_with(day, caller, seat)
    seat.press("*#", pause_s=0.3)
    specialist.wait_ringing(20)
    caller.hangup()
    seat.wait_event("CALL_CLOSED")
    assert {leg["role"] for leg in day.record(caller)["legs"]} == {"caller", "seat", "specialist"}

def test_while_a_seat_of_another_make_holds_the_caller_hears_music_and_no_talk_is_counted(
    day: House, make: Make, tmp_path: Path
) -> None:
    seat, caller = make("8001", answers=True), day.caller()
    day.switchboard.connect("8001", seat.sip_port)
    talk_with(day, caller, seat)
    until("some talk", lambda: _talked_s(day) > 1)
    seat.hold()
    until("its hold is known", lambda: _stands_still(day))
    held_at_s = _talked_s(day)
    caller.listen_to(tmp_path / "held.wav")
    time.sleep(12.0)  # longer than a phone may send nothing at all
    caller.stop_listening()
    assert is_heard(tmp_path / "held.wav", day.service, Prompt.MUSIC, share=0.05)
    assert _talked_s(day) == held_at_s
    seat.resume()
    until("the talk goes on", lambda: _talked_s(day) > held_at_s + 1)
    caller.listen_to(tmp_path / "resumed.wav")
    time.sleep(2.0)
    caller.stop_listening()
    assert tone_levels(tmp_path / "resumed.wav", {"seat": TONE_HZ}, -1.0)["seat"] > -40
    caller.hangup()
    seat.wait_event("CALL_CLOSED")


def test_a_seat_that_loses_power_is_followed_by_the_next(day: House, make: Make) -> None:
    seat, caller = make("8001", answers=True), day.caller()
    day.switchboard.connect("8001", seat.sip_port)
    next_seat = day.desk_phone("8002", SEAT_TONE)
    day.close_numbers("8003")
    talk_with(day, caller, seat)
    next_seat.auto_answer(0.2, then_press="1", press_after_s=0.5)
    seat.lose_power()
    next_seat.wait_answered(40)
    until("caller and the next seat talk", lambda: _stage(day, caller) == "with_seat" or None)
    caller.hangup()
    legs = {leg["number"]: leg for leg in day.record(caller)["legs"] if leg["role"] == "seat" and leg["answered_at"]}
    assert list(legs) == ["8001", "8002"]
    assert legs["8001"]["cause"] == "no sound"


def test_a_specialist_who_loses_power_is_followed_by_the_next(day: House, make: Make) -> None:
    specialist, caller = make("6101", answers=True), day.caller()
    day.switchboard.connect("6101", specialist.sip_port)
    put_through(day, caller, specialist)
    day.close_numbers("8001", "8002", "8003")  # who is alone is put through to a seat, if there is one
    colleague = day.desk_phone("6102", SPECIALIST_TONE)
    colleague.auto_answer(0.2, then_press="1", press_after_s=0.5)
    specialist.lose_power()
    colleague.wait_answered(60)
    until("caller and colleague talk", lambda: _stage(day, caller) == "with_specialist" or None)
    caller.hangup()
    legs = {leg["number"]: leg for leg in day.record(caller)["legs"] if leg["answered_at"]}
    assert {"6101", "6102"} <= set(legs)
    assert legs["6101"]["cause"] == "no sound"


def test_a_caller_who_loses_power_leaves_line_and_specialist_free(day: House, make: Make) -> None:
    specialist, caller = day.desk_phone("6101", SPECIALIST_TONE), make("13800009977")
    specialist.auto_answer(0.2, then_press="1", press_after_s=0.5)
    caller.dial(day.service.uri)
    caller.wait_event("CALL_ESTABLISHED")
    caller.press("4")
    specialist.wait_answered(30)
    until("both talk", lambda: _stage(day, caller) == "with_specialist" or None)
    caller.lose_power()
    assert specialist.wait_ended(60).by_remote
    day.service.wait_idle(30)
    until("a free line", lambda: day.lines()["in_use"] == 0 or None)
    (call,) = (call for call in day.service.ask("calls", limit=50) if call.get("caller_number") == caller.number)
    assert {leg["role"]: leg["cause"] for leg in call["legs"] if leg["answered_at"]}["caller"] == "no sound"


def put_through(house: House, caller: Phone, specialist: Baresip) -> None:
    """Let a caller ring and talk with a specialist of another make."""
    house.ring_up(caller, "4")
    specialist.wait_event("CALL_ESTABLISHED")
    until("key 1 accepted", lambda: _accepts(house, specialist, caller))


def talk_with(house: House, caller: Phone, seat: Baresip) -> None:
    """Let a caller ring and talk with a seat of another make."""
    house.ring_up(caller, "1")
    seat.wait_event("CALL_ESTABLISHED")
    time.sleep(0.3)
    seat.press("1")  # the key ends the whisper
    until("caller and seat talk", lambda: _stage(house, caller) == "with_seat" or None)


def _stage(house: House, caller: Phone | Baresip) -> str:
    calls = house.service.ask("status")["calls"]
    return next((str(call["stage"]) for call in calls if call["caller"][-4:] == caller.number[-4:]), "")


def _talked_s(house: House) -> float:
    return float(house.service.ask("seat_call", number="8001")["talked_s"])


def _stands_still(house: House) -> bool:
    before_s = _talked_s(house)
    time.sleep(1.0)
    return _talked_s(house) == before_s


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
