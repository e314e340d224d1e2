"""A supervisor on a real line: who hears whom while he listens, whispers and speaks to all, by tones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from demo.phone import Phone
from demo.tones import AudioMatrix
from ivr.speech.prompts import Prompt
from node.control_client import ControlError
from tests.sip.heard import let_be_said
from tests.sip.house import SEAT_TONE, SPECIALIST_TONE, House, until

pytestmark = pytest.mark.sip

BOSS, WHO = "supervisor:王督办", "seat:坐席一"
SUPERVISOR_TONE = 1790
_MEASURED_AT_MOST = 4
_SILENCE_DB = -50.0  # whoever is louder than this is heard


@dataclass
class Floor:
    """One seat, one specialist of the market unit, and the supervisor's phone."""

    house: House
    seat: Phone
    specialist: Phone
    supervisor: Phone

    def ask(self, question: str, **arguments: Any) -> Any:
        return self.house.service.ask(question, **arguments)

    def call(self) -> dict[str, Any]:
        """Return the call the seat has in hand."""
        found: dict[str, Any] = until("the call of the seat", lambda: self.ask("seat_call", number="8001"))
        return found

    def supervise(self, mode: str) -> str:
        """Let the supervisor into the call, or change how he is in it."""
        running = self.call()["supervision"]
        if running is not None:
            self.ask("change_supervision", supervision_id=running["supervision_id"], mode=mode, who=BOSS)
            return str(running["supervision_id"])
        found = self.ask("supervise", call_id=self.call()["call_id"], supervisor_number="7001", mode=mode, who=BOSS)
        self.supervisor.wait_answered(10)
        return str(found)

    def matrix(self, becomes: Callable[[AudioMatrix], bool], *phones: Phone) -> AudioMatrix:
        """Return the first measurement that is as it must become, or the last of some.

        A bridge changes a moment after it was asked to, and on a busy machine that moment is long.
        """
        for _ in range(_MEASURED_AT_MOST):
            time.sleep(1.0)  # a tone that announces somebody is over
            matrix = self.house.exchange.audio_matrix(*phones, seconds=1.5)
            if becomes(matrix):
                break
        return matrix


@pytest.fixture(scope="module")
def floor(open_house: Callable[..., House]) -> Floor:
    house = open_house()
    house.close_numbers("8002", "8003", "6102", "6103")
    seat, specialist = house.desk_phone("8001", SEAT_TONE), house.desk_phone("6101", SPECIALIST_TONE)
    supervisor = house.desk_phone("7001", SUPERVISOR_TONE).auto_answer(0.2)
    return Floor(house, seat, specialist, supervisor)


@pytest.fixture
def caller(floor: Floor) -> Iterator[Phone]:
    """A caller who talks with the seat, and with the specialist whom the seat has brought in from its page."""
    floor.seat.auto_answer(0.2, then_press="1", press_after_s=0.3)
    floor.specialist.auto_answer(0.2, then_press="1", press_after_s=0.5)
    caller = floor.house.caller()
    floor.house.ring_up(caller, "1")
    floor.seat.wait_answered(20)
    until("a seat that may transfer", lambda: floor.call()["may"]["transfer"] == "")
    floor.ask("transfer", call_id=floor.call()["call_id"], target="6101", who=WHO, seat_number="8001")
    floor.specialist.wait_answered(20)
    until("three who talk", lambda: sum(party["state"] == "talking" for party in floor.call()["parties"]) == 3)
    yield caller
    for phone in (caller, floor.seat, floor.specialist, floor.supervisor):
        phone.hangup()
    floor.house.service.wait_idle(30)


def _is_heard_as(expected: dict[str, set[str]], phones: tuple[Phone, ...], matrix: AudioMatrix) -> bool:
    return heard(matrix, *phones) == expected


def heard(matrix: AudioMatrix, *listeners: Phone) -> dict[str, set[str]]:
    """Return who is heard by each phone."""
    names = [phone.name for phone in listeners]
    return {
        name: {other for other in names if other != name and matrix.hears(name, other, _SILENCE_DB)} for name in names
    }


def test_a_page_puts_a_real_call_through_to_a_real_specialist(floor: Floor, caller: Phone) -> None:
    matrix = floor.matrix(AudioMatrix.all_hear_each_other, caller, floor.seat, floor.specialist)
    assert matrix.all_hear_each_other(), matrix
    floor.ask("hold", call_id=floor.call()["call_id"], who=WHO, seat_number="8001")
    until("a caller on hold", lambda: floor.call()["is_held"])
    let_be_said(floor.house.service, Prompt.SEAT_CALLER_HELD)
    held = floor.matrix(
        lambda one: not one.hears(floor.seat.name, caller.name, _SILENCE_DB)
        and one.hears(floor.seat.name, floor.specialist.name),
        caller, floor.seat, floor.specialist,
    )  # fmt: skip
    assert held.hears(floor.seat.name, floor.specialist.name), held
    assert not held.hears(floor.seat.name, caller.name, _SILENCE_DB), held
    floor.ask("hold", call_id=floor.call()["call_id"], who=WHO, seat_number="8001")
    floor.ask("leave", call_id=floor.call()["call_id"], who=WHO, seat_number="8001")
    assert floor.seat.wait_ended(10).by_remote
    pair = floor.matrix(AudioMatrix.all_hear_each_other, caller, floor.specialist)
    assert pair.all_hear_each_other(), pair


def test_who_hears_whom_while_a_supervisor_listens_whispers_and_barges_in(floor: Floor, caller: Phone) -> None:
    seat, specialist, boss = floor.seat, floor.specialist, floor.supervisor
    four = (caller, seat, specialist, boss)
    three = {
        caller.name: {seat.name, specialist.name},
        seat.name: {caller.name, specialist.name},
        specialist.name: {caller.name, seat.name},
        boss.name: {caller.name, seat.name, specialist.name},
    }
    call_id = floor.call()["call_id"]
    for mode, hear_him in (
        ("listen", ()), ("whisper", (seat,)), ("barge", (caller, seat, specialist)), ("listen", ()),
    ):  # fmt: skip
        floor.supervise(mode)
        expected = {
            name: others | ({boss.name} if name in {phone.name for phone in hear_him} else set())
            for name, others in three.items()
        }
        matrix = floor.matrix(partial(_is_heard_as, expected, four), *four)
        assert heard(matrix, *four) == expected, f"{mode}:\n{matrix}"
    with pytest.raises(ControlError, match="已有督办人员"):
        floor.ask("supervise", call_id=call_id, supervisor_number="7002", mode="listen", who=BOSS)

    floor.ask("stop_supervision", supervision_id=floor.call()["supervision"]["supervision_id"], who=BOSS)
    assert boss.wait_ended(10).by_remote
    matrix = floor.matrix(AudioMatrix.all_hear_each_other, caller, seat, specialist)
    assert matrix.all_hear_each_other(), matrix
    for phone in (caller, seat, specialist):
        phone.hangup()
    (kept,) = floor.house.record(caller)["supervisions"]
    assert [mode for mode, _ in kept["modes"]] == ["listen", "whisper", "barge", "listen"]
    assert (kept["who"], kept["number"]) == (BOSS, "7001")


def test_a_supervisor_who_hangs_up_is_noticed_by_nobody(floor: Floor, caller: Phone) -> None:
    floor.supervise("barge")
    time.sleep(1.0)
    floor.supervisor.hangup()
    matrix = floor.matrix(AudioMatrix.all_hear_each_other, caller, floor.seat, floor.specialist)
    assert matrix.all_hear_each_other(), matrix
