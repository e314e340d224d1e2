"""Seats and numbers with real phones: who is away stays away through a crash, and a morning check rings politely."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ivr.line.messages import LegIncoming
from ivr.speech.prompts import Prompt
from routing.clock import SHANGHAI
from tests.sip.heard import is_heard
from tests.sip.house import TUESDAY_MORNING, House

pytestmark = pytest.mark.sip

WHO = "supervisor:王督办"
HALF_PAST_EIGHT = datetime(2026, 3, 10, 8, 30, tzinfo=SHANGHAI)


@pytest.fixture(scope="module")
def house(open_house: Callable[..., House]) -> House:
    return open_house(HALF_PAST_EIGHT)


def patiently(house: House, answers: list[Any], **question: Any) -> None:
    """Ask the node something that takes as long as phones ring."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(60)
        connection.connect(str(house.service.data_dir / "control.sock"))
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as lines:
            answers.append(json.loads(lines.readline())["answer"])


@pytest.mark.listens
def test_a_morning_check_rings_each_number_says_its_sentence_and_hangs_up(house: House, tmp_path: Path) -> None:
    phone = house.desk_phone("6101").auto_answer(0.5)
    house.close_numbers("6102")  # and the trunk knows no 6103
    answers: list[Any] = []
    question = {"ask": "test_dial", "unit_id": "market", "who": WHO}
    asking = threading.Thread(target=patiently, args=(house, answers), kwargs=question)
    asking.start()
    phone.wait_answered(20)
    phone.listen_to(tmp_path / "phone.wav")
    assert phone.wait_ended(20).by_remote
    phone.stop_listening()
    asking.join(60)
    assert [(each["number"], each["result"]) for each in answers[0]] == [
        ("6101", "answered"), ("6102", "busy"), ("6103", "wrong_number"),
    ]  # fmt: skip
    assert is_heard(tmp_path / "phone.wav", house.service, Prompt.NUMBER_CHECK)
    assert len(phone.events(LegIncoming)) == 1
    house.service.wait_idle()


def test_a_seat_that_is_away_is_away_after_a_crash_too_and_its_phone_does_not_ring(house: House) -> None:
    house.service.ask("set_seat_state", number="8001", state="away", why="午餐", who="seat:王")
    house.service.kill()
    house.service.start_again(TUESDAY_MORNING)
    first = house.service.ask("seats")[0]
    assert (first["number"], first["state"], first["why"]) == ("8001", "away", "午餐")
    away, ready = house.desk_phone("8001").auto_answer(0.2), house.desk_phone("8002").auto_answer(0.2)
    house.close_numbers("8003")
    caller = house.caller()
    house.ring_up(caller, "1")
    ready.wait_answered(20)
    assert not away.events(LegIncoming)
    caller.hangup()
    ready.hangup()
    house.service.wait_idle(30)
