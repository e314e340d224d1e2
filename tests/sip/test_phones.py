"""The phones of demo and tests call each other, through the switchboard and straight."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from demo.exchange import ExchangeBroken, PhoneExchange
from demo.phone import Phone
from demo.phone_log import PhoneHeardOtherwise
from demo.switchboard import Switchboard
from demo.tones import tone_levels, write_tone
from ivr.line.messages import KeyPressed, LegIncoming
from tests.sip.ports import free_port

pytestmark = pytest.mark.sip


@pytest.fixture
def caller(exchange: PhoneExchange) -> Phone:
    return exchange.phone("caller", "13800000001", tone_hz=430)


@pytest.fixture
def seat(exchange: PhoneExchange, switchboard: Switchboard) -> Phone:
    phone = exchange.phone("seat", "8001", tone_hz=1060)
    switchboard.connect("8001", phone.sip_port)
    return phone


def test_two_phones_hear_each_other_and_not_themselves(exchange: PhoneExchange, switchboard: Switchboard,
                                                       caller: Phone, seat: Phone) -> None:
    seat.auto_answer(0.1)
    caller.dial(switchboard.uri("8001"))
    caller.wait_ringing()
    caller.wait_answered()
    seat.wait_answered()
    matrix = exchange.audio_matrix(caller, seat, seconds=1.0)
    assert matrix.all_hear_each_other(), f"{matrix}\n{caller.story()}\n{seat.story()}"
    caller.hangup()
    assert seat.wait_ended().by_remote
    assert caller.rx_packets > 40


@pytest.mark.listens
def test_a_muted_phone_is_not_heard(exchange: PhoneExchange, caller: Phone, seat: Phone, tmp_path: Path) -> None:
    seat.auto_answer()
    caller.dial(seat.uri)
    caller.wait_answered()
    seat.wait_answered()
    caller.talk()
    caller.hush()
    seat.listen_to(tmp_path / "seat.wav")
    with pytest.raises(PhoneHeardOtherwise):
        seat.wait_key("1", 0.5)
    seat.stop_listening()
    assert tone_levels(tmp_path / "seat.wav", {"caller": 430}, start_s=0.2)["caller"] < -60


@pytest.mark.listens
def test_a_message_is_heard_at_the_other_end(caller: Phone, seat: Phone, tmp_path: Path) -> None:
    message = write_tone(tmp_path / "message.wav", 610, duration_s=1)
    seat.auto_answer()
    caller.dial(seat.uri)
    caller.wait_answered()
    seat.wait_answered()
    seat.listen_to(tmp_path / "seat.wav")
    caller.say(message)
    caller.wait_said()
    seat.stop_listening()
    assert tone_levels(tmp_path / "seat.wav", {"message": 610}, 0.3, 0.5)["message"] > -20


@pytest.mark.parametrize("method", ["rfc4733", "info"])
def test_keys_arrive_each_once(caller: Phone, seat: Phone, method: str) -> None:
    seat.auto_answer()
    caller.dial(seat.uri)
    caller.wait_answered()
    caller.press("12*", method)
    seat.wait_key("*")
    assert [(key.digit, key.source) for key in seat.events(KeyPressed)] == [(digit, method) for digit in "12*"]


def test_the_called_phone_sees_the_number_the_caller_shows(caller: Phone, seat: Phone) -> None:
    caller.dial(seat.uri, from_number="02152550000")
    assert "02152550000" in seat.wait_ringing().from_uri  # type: ignore[union-attr]


def test_a_caller_who_gives_up_stops_the_ringing(switchboard: Switchboard, caller: Phone, seat: Phone) -> None:
    caller.dial(switchboard.uri("8001"))
    seat.wait_ringing()
    ended = caller.hangup()
    assert ended is not None
    assert ended.sip_status == 487
    assert seat.wait_ended().sip_status == 487


def test_a_phone_in_a_call_is_busy_for_others(exchange: PhoneExchange, switchboard: Switchboard,
                                              caller: Phone, seat: Phone) -> None:
    seat.auto_answer()
    caller.dial(switchboard.uri("8001"))
    caller.wait_answered()
    third = exchange.phone("third")
    third.dial(switchboard.uri("8001"))
    assert third.wait_ended().sip_status == 486
    assert seat.in_call


def test_a_rejecting_phone_rejects_with_its_status(switchboard: Switchboard, caller: Phone, seat: Phone) -> None:
    seat.auto_reject(603)
    caller.dial(switchboard.uri("8001"))
    assert caller.wait_ended().sip_status == 603


def test_numbers_without_a_phone_are_busy_unknown_or_ring_for_ever(switchboard: Switchboard, caller: Phone) -> None:
    switchboard.refuse("8002", 486)
    switchboard.dead_ring("8003")
    for number, sip_status in (("8002", 486), ("8004", 404)):
        caller.dial(switchboard.uri(number))
        assert caller.wait_ended().sip_status == sip_status
    caller.dial(switchboard.uri("8003"))
    caller.wait_ringing()
    ended = caller.hangup()
    assert ended is not None
    assert ended.sip_status == 487
    assert switchboard.count("INVITE", "8003") == 1
    assert switchboard.count("CANCEL", "8003") == 1


def test_a_number_may_move_to_another_phone(exchange: PhoneExchange, switchboard: Switchboard, caller: Phone,
                                            seat: Phone) -> None:
    other = exchange.phone("other", "8009").auto_answer()
    switchboard.connect("8001", other.sip_port)
    caller.dial(switchboard.uri("8001"))
    caller.wait_answered()
    assert seat.events(LegIncoming) == []
    assert len(other.events(LegIncoming)) == 1


def test_a_phone_takes_the_port_it_is_given(exchange: PhoneExchange) -> None:
    port = free_port()
    assert exchange.phone("fixed", sip_port=port).sip_port == port


def test_a_phone_on_a_taken_port_says_that_it_did_not_come_up(exchange: PhoneExchange) -> None:
    port = exchange.phone("first").sip_port
    with pytest.raises(ExchangeBroken, match="second did not come up on port"):
        exchange.phone("second", sip_port=port)


def test_a_killed_phone_says_so_and_leaves_no_process(caller: Phone, seat: Phone) -> None:
    seat.auto_answer()
    caller.dial(seat.uri)
    caller.wait_answered()
    seat.kill()
    with pytest.raises(PhoneHeardOtherwise, match="ProcessGone"):
        seat.wait_ended(30.0)
    assert not psutil.pid_exists(seat.pid)


def test_phones_die_with_the_process_that_uses_them_even_by_kill_9() -> None:
    code = (
        "import time\n"
        "from demo.exchange import PhoneExchange\n"
        "phones = PhoneExchange()\n"
        "a, b = phones.phone('a'), phones.phone('b').auto_answer()\n"
        "a.dial(b.uri); a.wait_answered()\n"
        "print(phones._own_folder, a.pid, b.pid, phones._parent.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        folder, *pids = user.stdout.readline().split()
        processes = [psutil.Process(int(pid)) for pid in pids]
        user.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(processes, timeout=5)
    shutil.rmtree(folder)  # all that kill -9 leaves: tones and a dead socket
    assert len(processes) == 3
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
