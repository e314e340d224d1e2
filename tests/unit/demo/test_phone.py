"""What a phone does and tells, with the test playing its line process."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from demo.phone import Phone
from demo.phone_log import PhoneHeardOtherwise, ProcessGone
from ivr.line.messages import (
    Answer,
    Hangup,
    Heartbeat,
    KeyPressed,
    LegAnswered,
    LegEnded,
    LegIncoming,
    LegRinging,
    Play,
    PlayEnded,
    Progress,
    Record,
    RecordEnded,
    Reject,
    Ring,
    SendKeys,
    Stop,
    StopRecord,
)


class FakeProcess:
    """Keeps the commands that a phone sends."""

    def __init__(self) -> None:
        self.commands: list[object] = []
        self.ends: list[bool] = []

    def send(self, command: object) -> None:
        self.commands.append(command)

    def end(self, kill: bool) -> None:
        self.ends.append(kill)


@pytest.fixture
def process() -> FakeProcess:
    return FakeProcess()


@pytest.fixture
def phone(process: FakeProcess) -> Phone:
    return Phone("caller", "13800000001", process, 430, Path("430.wav"))


def incoming(leg: int) -> LegIncoming:
    return LegIncoming(leg, f"call-{leg}", "sip:12345@127.0.0.1", "sip:8001@127.0.0.1")


def test_dialling_shows_its_own_number_unless_told_another(phone: Phone, process: FakeProcess) -> None:
    phone.dial("sip:12345@127.0.0.1:5060")
    phone.heard(LegEnded(1, 486))
    phone.dial("sip:12345@127.0.0.1:5060", from_number="02152550000")
    rung = [command for command in process.commands if isinstance(command, Ring)]
    assert [(ring.leg, ring.from_number) for ring in rung] == [(1, "13800000001"), (3, "02152550000")]


def test_waits_read_the_story_in_order_even_when_it_all_happened_before(phone: Phone) -> None:
    phone.dial("sip:12345@127.0.0.1:5060")
    for event in (LegRinging(1, 180), LegAnswered(1), KeyPressed(1, "5"), LegEnded(1, 200)):
        phone.heard(event)
    assert phone.wait_ringing(0.1) == LegRinging(1, 180)
    assert phone.wait_answered(0.1) == LegAnswered(1)
    assert phone.wait_key("5", 0.1).digit == "5"
    assert phone.wait_ended(0.1) == LegEnded(1, 200)


def test_a_wait_does_not_find_what_an_earlier_wait_returned(phone: Phone) -> None:
    phone.heard(incoming(2))
    phone.wait_ringing(0.1)
    with pytest.raises(PhoneHeardOtherwise, match="in vain"):
        phone.wait_ringing(0.02)
    phone.heard(LegEnded(2, 487))
    phone.heard(incoming(4))
    assert phone.wait_ringing(0.1) == incoming(4)


def test_dialling_again_forgets_the_end_of_the_call_before(phone: Phone) -> None:
    phone.dial("sip:a@127.0.0.1")
    phone.heard(LegEnded(1, 486))
    phone.dial("sip:b@127.0.0.1")
    with pytest.raises(PhoneHeardOtherwise, match="in vain"):
        phone.wait_ended(0.02)


def test_a_wait_is_woken_by_what_comes_later(phone: Phone) -> None:
    phone.dial("sip:12345@127.0.0.1")
    threading.Timer(0.02, phone.heard, [LegAnswered(1)]).start()
    assert phone.wait_answered(5.0) == LegAnswered(1)


def test_a_refused_call_ends_the_wait_at_once_and_the_error_tells_the_whole_log(phone: Phone) -> None:
    phone.dial("sip:12345@127.0.0.1")
    phone.heard(LegEnded(1, 503, "Service Unavailable"))
    with pytest.raises(PhoneHeardOtherwise) as caught:
        phone.wait_answered(600.0)
    assert "caller (13800000001) waited for an answered call, and it was over" in str(caught.value)
    assert "dials sip:12345@127.0.0.1" in str(caught.value)
    assert "LegEnded leg=1 sip_status=503 reason=Service Unavailable" in str(caught.value)


def test_a_specialist_rung_twice_may_wait_past_the_first_ring(phone: Phone) -> None:
    phone.heard(incoming(2))
    phone.heard(LegEnded(2, 487))
    phone.heard(incoming(4))
    phone.heard(LegAnswered(4))
    assert phone.wait_answered(0.1).leg == 4


def test_a_dead_process_ends_every_wait_at_once(phone: Phone) -> None:
    phone.heard(incoming(2))
    phone.heard(ProcessGone())
    assert not phone.in_call
    with pytest.raises(PhoneHeardOtherwise, match="ProcessGone"):
        phone.wait_ended(600.0)


def test_a_new_phone_rings_and_waits_to_be_answered(phone: Phone, process: FakeProcess) -> None:
    phone.heard(incoming(2))
    assert process.commands == [Progress(2, 180)]
    phone.heard(LegAnswered(2))
    assert phone.answer().leg == 2
    assert process.commands[-1] == Answer(2)


def test_a_second_call_finds_the_phone_busy(phone: Phone, process: FakeProcess) -> None:
    phone.auto_answer()
    phone.heard(incoming(2))
    phone.heard(incoming(4))
    assert process.commands == [Progress(2, 180), Answer(2), Reject(4, 486)]
    phone.heard(LegEnded(4, 486))
    assert phone.in_call


def test_rejecting_leaves_the_phone_free(phone: Phone, process: FakeProcess) -> None:
    phone.auto_reject(603)
    phone.heard(incoming(2))
    assert process.commands == [Reject(2, 603)]
    assert not phone.in_call


def test_a_late_answer_is_not_sent_when_the_caller_has_given_up(phone: Phone, process: FakeProcess) -> None:
    phone.auto_answer(after_s=0.03)
    phone.heard(incoming(2))
    phone.heard(LegEnded(2, 487))
    for timer in phone._timers:
        timer.join()
    assert process.commands == [Progress(2, 180)]


def test_a_specialist_accepts_by_key_after_answering(phone: Phone, process: FakeProcess) -> None:
    phone.auto_answer(then_press="1", press_after_s=0.0)
    phone.heard(incoming(2))
    phone.heard(LegAnswered(2))
    assert process.commands[-1] == SendKeys(2, "1")


def test_keys_are_not_pressed_on_calls_the_phone_made_itself(phone: Phone, process: FakeProcess) -> None:
    phone.auto_answer(then_press="1", press_after_s=0.0)
    phone.dial("sip:12345@127.0.0.1")
    phone.heard(LegAnswered(1))
    assert not any(isinstance(command, SendKeys) for command in process.commands)


def test_talking_loops_the_tone_until_hushed(phone: Phone, process: FakeProcess) -> None:
    phone.dial("sip:12345@127.0.0.1")
    phone.talk()
    phone.hush()
    phone.hush()
    assert process.commands[1:] == [Play(1, 1, ("430.wav",), loop=True), Stop(1)]


def test_a_message_is_said_to_its_end(phone: Phone) -> None:
    phone.dial("sip:12345@127.0.0.1")
    phone.say(Path("message.wav"))
    phone.heard(PlayEnded(1, 1, True))
    assert phone.wait_said(0.1).finished


def test_listening_returns_the_closed_file_even_after_the_call(phone: Phone, process: FakeProcess) -> None:
    phone.dial("sip:12345@127.0.0.1")
    phone.listen_to(Path("heard.wav"))
    assert process.commands[-1] == Record(1, "heard.wav", (1,))
    phone.heard(LegEnded(1, 200))
    phone.heard(RecordEnded(1, "heard.wav", 1500))
    phone.wait_ended(0.1)
    assert phone.stop_listening(0.1).duration_ms == 1500
    assert process.commands[-1:] == [StopRecord(1)]


def test_hanging_up_returns_how_the_call_ended(phone: Phone, process: FakeProcess) -> None:
    phone.dial("sip:12345@127.0.0.1")
    threading.Timer(0.02, phone.heard, [LegEnded(1, 487, by_remote=False)]).start()
    ended = phone.hangup()
    assert ended is not None
    assert ended.sip_status == 487
    assert process.commands[-1] == Hangup(1)
    assert phone.hangup() is None


@pytest.mark.parametrize("verb", ["answer", "reject", "talk"])
def test_what_needs_a_call_says_so_without_one(phone: Phone, verb: str) -> None:
    with pytest.raises(PhoneHeardOtherwise, match="without a call"):
        getattr(phone, verb)()


def test_packets_received_are_those_of_the_call_at_hand(phone: Phone) -> None:
    phone.dial("sip:12345@127.0.0.1")
    phone.heard(Heartbeat({1: 150}))
    assert phone.rx_packets == 150
    phone.heard(LegEnded(1, 200, rx_packets=180))
    assert phone.rx_packets == 180
    assert phone.events(Heartbeat) == []


def test_closing_is_kind_and_killing_is_not(phone: Phone, process: FakeProcess) -> None:
    with phone:
        phone.kill()
    assert process.ends == [True, False]
