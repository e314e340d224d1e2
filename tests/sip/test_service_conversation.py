"""Caller, seat and specialist talk as three by the running service; anyone may leave, and the rest go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.phone import Phone
from demo.tones import AudioMatrix
from ivr.line.messages import LegIncoming
from ivr.speech.prompts import Prompt
from tests.sip.heard import is_heard, let_be_said
from tests.sip.house import SEAT_TONE, SPECIALIST_TONE, House, until

pytestmark = pytest.mark.sip


@dataclass
class Desk:
    """The people of this module: one seat and one specialist of the market unit; nobody else is there."""

    house: House
    seat: Phone
    specialist: Phone

    def caller_with_seat(self) -> Phone:
        """Bring a caller to the seat; return his phone."""
        self.seat.auto_answer(0.2, then_press="1", press_after_s=0.3)  # the key ends the whisper
        caller = self.house.caller()
        self.house.ring_up(caller, "1")
        self.seat.wait_answered(20)
        self.until_talking(2)
        return caller

    def bring_in(self) -> None:
        """Let the seat bring in the specialist of the caller's matter, who accepts."""
        self.specialist.auto_answer(0.2, then_press="1", press_after_s=0.5)
        self.seat.press("*#")
        self.specialist.wait_answered(20)
        self.until_talking(3)
        let_be_said(self.house.service, Prompt.JOINED)

    def until_talking(self, count: int) -> None:
        """Wait until so many of the seat's call hear each other."""

        def parties() -> list[str]:
            call = self.house.service.ask("seat_call", number="8001")
            return [party["state"] for party in call["parties"]] if call else []

        until(f"{count} who talk", lambda: parties() == ["talking"] * count)

    def until_held(self, is_held: bool) -> None:
        """Wait until the caller is on hold, or no more, and the seat has been told so."""
        until(f"held: {is_held}", lambda: self.house.service.ask("seat_call", number="8001")["is_held"] is is_held)
        let_be_said(self.house.service, Prompt.SEAT_CALLER_HELD if is_held else Prompt.SEAT_CALLER_BACK)

    def levels(self, *phones: Phone) -> AudioMatrix:
        return self.house.exchange.audio_matrix(*phones, seconds=1.0)

    def everybody_hangs_up(self, *phones: Phone) -> None:
        for phone in phones:
            phone.hangup()
        self.house.service.wait_idle(30)


@pytest.fixture(scope="module")
def desk(open_house: Callable[..., House]) -> Desk:
    house = open_house()
    house.close_numbers("8002", "8003", "6102", "6103")
    return Desk(house, house.desk_phone("8001", SEAT_TONE), house.desk_phone("6101", SPECIALIST_TONE))


@pytest.fixture
def three(desk: Desk) -> Iterator[Phone]:
    """A caller who talks with seat and specialist; yields his phone."""
    caller = desk.caller_with_seat()
    desk.bring_in()
    yield caller
    desk.everybody_hangs_up(caller, desk.seat, desk.specialist)


@pytest.mark.listens
def test_a_caller_on_hold_hears_music_and_not_the_seat_who_consults(desk: Desk, three: Phone, tmp_path: Path) -> None:
    desk.seat.press("*5")
    desk.until_held(True)
    held = desk.house.exchange.audio_matrix(three, desk.seat, desk.specialist, seconds=4.0, folder=tmp_path)
    assert held.hears("phone8001", "phone6101"), held
    assert held.hears("phone6101", "phone8001"), held
    assert not any(held.hears(three.name, other, -50) for other in ("phone8001", "phone6101")), held
    assert not any(held.hears(other, three.name, -50) for other in ("phone8001", "phone6101")), held
    assert is_heard(tmp_path / f"{three.name}_hears.wav", desk.house.service, Prompt.MUSIC, share=0.05)

    desk.seat.press("*5")
    desk.until_held(False)
    again = desk.levels(three, desk.seat, desk.specialist)
    assert again.all_hear_each_other(), again


@pytest.mark.listens
def test_the_seat_drops_the_specialist_by_star_9_and_may_then_not_leave_the_caller_alone(
    desk: Desk, three: Phone, tmp_path: Path
) -> None:
    desk.seat.press("*9")
    assert desk.specialist.wait_ended(10).by_remote
    desk.until_talking(2)
    let_be_said(desk.house.service, Prompt.SEAT_SPECIALIST_GONE)
    desk.seat.listen_to(tmp_path / "seat.wav")
    desk.seat.press("*0")
    desk.house.wait_step(three, "seat leave")
    let_be_said(desk.house.service, Prompt.SEAT_NOBODY_ELSE)
    desk.seat.stop_listening()
    assert is_heard(tmp_path / "seat.wav", desk.house.service, Prompt.SEAT_NOBODY_ELSE)
    pair = desk.levels(three, desk.seat)
    assert pair.all_hear_each_other(), pair


def test_the_seat_leaves_the_two_talking_by_star_0(desk: Desk, three: Phone) -> None:
    desk.seat.press("*0")
    assert desk.seat.wait_ended(10).by_remote
    pair = desk.levels(three, desk.specialist)
    assert pair.all_hear_each_other(), pair


def test_when_the_specialist_hangs_up_caller_and_seat_still_hear_each_other(desk: Desk, three: Phone) -> None:
    desk.specialist.hangup()
    desk.until_talking(2)
    let_be_said(desk.house.service, Prompt.SEAT_SPECIALIST_GONE)
    pair = desk.levels(three, desk.seat)
    assert pair.all_hear_each_other(), pair


def test_when_the_caller_hangs_up_seat_and_specialist_still_hear_each_other(desk: Desk, three: Phone) -> None:
    three.hangup()
    time.sleep(1.0)
    pair = desk.levels(desk.seat, desk.specialist)
    assert pair.all_hear_each_other(), pair


def test_a_caller_who_hangs_up_while_a_specialist_rings_stops_that_phone_at_once(desk: Desk) -> None:
    desk.specialist.never_answer()
    cancels = desk.house.switchboard.count("CANCEL", "6101")
    caller = desk.house.caller()
    desk.house.ring_up(caller, "4")  # a direct matter: no seat
    rings_before = len(desk.specialist.events(LegIncoming))
    desk.specialist.wait_ringing(20)
    caller.hangup()
    hung_up_at = time.monotonic()
    assert desk.specialist.wait_ended(10).sip_status == 487
    assert time.monotonic() - hung_up_at < 3.0, "the phone rang on"
    assert desk.house.switchboard.count("CANCEL", "6101") == cancels + 1
    assert len(desk.specialist.events(LegIncoming)) - rings_before <= 1
    record = desk.house.record(caller)
    assert (record["transfer"], record["outcome"]) == ("abandoned", "interrupted")


@pytest.mark.listens
def test_a_specialist_who_has_answered_hears_that_the_caller_has_gone(desk: Desk, tmp_path: Path) -> None:
    desk.specialist.auto_answer(0.2)
    caller = desk.house.caller()
    desk.house.ring_up(caller, "4")
    desk.specialist.wait_answered(20)
    desk.specialist.listen_to(tmp_path / "specialist.wav")
    time.sleep(1.5)  # in the middle of the whisper
    caller.hangup()
    assert desk.specialist.wait_ended(15).by_remote
    desk.specialist.stop_listening()
    assert is_heard(tmp_path / "specialist.wav", desk.house.service, Prompt.CALLER_GONE)
    assert not is_heard(tmp_path / "specialist.wav", desk.house.service, Prompt.ACCEPTED_BY_OTHER)
    specialist = next(leg for leg in desk.house.record(caller)["legs"] if leg["number"] == "6101")
    assert specialist["answered_at"]
    assert specialist["accepted_at"] is None
