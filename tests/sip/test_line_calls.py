"""What a line does in real calls: answer, hear keys, ring, bridge, record, hold, refuse, hang up."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.tones import SAMPLE_RATE, audio_matrix, read_samples, tone_levels, write_tone
from ivr.line import wav
from ivr.line.messages import (
    Answer,
    Bridge,
    Hangup,
    Heartbeat,
    KeyPressed,
    LegAnswered,
    LegEnded,
    LegIncoming,
    LegRinging,
    LineFault,
    Mute,
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
from tests.sip.line_raw_phone import RawPhone
from tests.sip.line_under_test import Farm, LineUnderTest, farm

pytestmark = [pytest.mark.sip, pytest.mark.listens]

_users = (f"user{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def lines() -> Iterator[Farm]:
    with farm() as one:
        yield one
        assert one.faults() == []


@pytest.fixture
def line(lines: Farm) -> LineUnderTest:
    return lines.line()


@pytest.fixture
def phone(lines: Farm) -> LineUnderTest:
    return lines.line()


@pytest.fixture
def tone(tmp_path: Path) -> str:
    return str(write_tone(tmp_path / "tone.wav", 697, duration_s=1))


def call(phone: LineUnderTest, line: LineUnderTest, leg: int = 1) -> int:
    """Let a phone ring a line that answers; return the line's leg."""
    user = next(_users)
    phone.send(Ring(leg=leg, uri=line.uri(user), from_number="13800001111", display_name='甲 "乙"'))
    incoming = line.wait(LegIncoming, to_uri=f"sip:{user}@127.0.0.1")
    line.send(Answer(leg=incoming.leg))
    phone.wait(LegAnswered, leg=leg)
    line.wait(LegAnswered, leg=incoming.leg)
    return incoming.leg


def ring_out(line: LineUnderTest, phone: LineUnderTest, leg: int = 1) -> int:
    """Let a line ring a phone that answers; return the phone's leg."""
    return call(line, phone, leg)


def test_a_caller_is_announced_with_name_and_number_rings_and_is_answered(
    line: LineUnderTest, phone: LineUnderTest
) -> None:
    phone.send(Ring(leg=1, uri=line.uri(), from_number="13800001111", display_name='甲 "乙"'))
    incoming = line.wait(LegIncoming)
    assert incoming.display_name == '甲 "乙"'
    assert incoming.from_uri.startswith("sip:13800001111@")
    assert incoming.to_uri.startswith("sip:12345@")
    assert incoming.leg % 2 == 0
    line.send(Progress(leg=incoming.leg))
    assert phone.wait(LegRinging).sip_status == 180
    line.send(Answer(leg=incoming.leg))
    answered = phone.wait(LegAnswered)
    assert answered.sip_call_id == incoming.sip_call_id == line.wait(LegAnswered).sip_call_id
    phone.send(Hangup(leg=1))
    ended = line.wait(LegEnded)
    assert (ended.by_remote, ended.sip_status) == (True, 200)
    assert not phone.wait(LegEnded).by_remote


def test_a_refused_caller_is_told_why_and_when_to_come_back(lines: Farm, line: LineUnderTest) -> None:
    raw = RawPhone(line.hello.sip_port)
    raw.invite()
    line.send(Reject(leg=line.wait(LegIncoming).leg, sip_status=503, retry_after_s=7))
    status, text = raw.answer_to("INVITE")
    raw.send("ACK")
    assert status == 503
    assert "Retry-After: 7\r\n" in text
    assert line.wait(LegEnded).sip_status == 503
    raw.close()


def test_who_was_not_answered_is_sent_elsewhere_when_the_node_hangs_up(lines: Farm, line: LineUnderTest) -> None:
    raw = RawPhone(line.hello.sip_port)
    raw.invite()
    line.send(Hangup(leg=line.wait(LegIncoming).leg))
    status, text = raw.answer_to("INVITE")
    raw.send("ACK")
    assert status == 503  # not 603: that would forbid the trunk to ring another node
    assert "Retry-After: 10\r\n" in text
    line.wait(LegEnded)
    raw.close()


def test_prompts_follow_each_other_without_a_gap_and_end_once(
    lines: Farm, line: LineUnderTest, phone: LineUnderTest, tone: str, tmp_path: Path
) -> None:
    leg = call(phone, line)
    phone.send(Record(recording=1, path=str(tmp_path / "heard.wav"), legs=(1,)))
    lines.talk(0.2)
    line.send(Play(leg=leg, play=1, files=(tone, str(tmp_path / "missing.wav"), tone)))
    fault = line.wait(LineFault)
    assert "missing.wav" in fault.text
    line.events.remove(fault)
    ended = line.wait(PlayEnded)
    assert ended.finished
    lines.talk(0.3)
    phone.send(StopRecord(recording=1))
    phone.wait(RecordEnded)
    samples = read_samples(tmp_path / "heard.wav")
    frames = [max(map(abs, samples[at : at + 80])) > 500 for at in range(0, len(samples) - 80, 80)]
    first, last = frames.index(True), len(frames) - 1 - frames[::-1].index(True)
    assert 1.9 <= (last - first) * 80 / SAMPLE_RATE <= 2.1
    assert all(frames[first : last + 1]), "silence within the prompt"
    phone.send(Hangup(leg=1))
    line.wait(LegEnded)
    assert len(line.seen(PlayEnded)) == 1


def test_a_key_stops_a_prompt_and_a_new_prompt_the_one_before(
    line: LineUnderTest, phone: LineUnderTest, tone: str
) -> None:
    leg = call(phone, line)
    line.send(Play(leg=leg, play=1, files=(tone,), loop=True, stop_on_key=True))
    phone.send(SendKeys(leg=1, keys="3"))
    assert not line.wait(PlayEnded, play=1).finished
    assert line.wait(KeyPressed).digit == "3"
    line.send(Play(leg=leg, play=2, files=(tone,), loop=True), Play(leg=leg, play=3, files=(tone,)), Stop(play=3))
    assert not line.wait(PlayEnded, play=2).finished
    assert not line.wait(PlayEnded, play=3).finished
    line.send(Play(leg=leg, play=4, files=(tone,), loop=True), Hangup(leg=leg))
    assert not line.wait(PlayEnded, play=4).finished
    line.wait(LegEnded)
    line.send(Play(leg=leg, play=5, files=(tone,)))
    assert not line.wait(PlayEnded, play=5).finished


def test_in_a_three_way_call_each_hears_the_other_two_and_not_itself(
    lines: Farm, line: LineUnderTest, tmp_path: Path
) -> None:
    phones = {name: lines.line() for name in ("caller", "seat", "specialist")}
    tones = {"caller": 697, "seat": 1209, "specialist": 1633}
    legs = {name: call(phone, line) for name, phone in phones.items()}
    for name, phone in phones.items():
        sound = write_tone(tmp_path / f"{name}-says.wav", tones[name])
        phone.send(Play(leg=1, play=1, files=(str(sound),), loop=True))
        phone.send(Record(recording=1, path=str(tmp_path / f"{name}.wav"), legs=(1,)))
    line.send(Bridge(bridge=1, legs=tuple(legs.values())))
    line.send(Record(recording=1, path=str(tmp_path / "mix.wav"), legs=tuple(legs.values())))
    lines.talk(2.5)
    line.send(StopRecord(recording=1))
    for phone in phones.values():
        phone.send(StopRecord(recording=1))
        phone.wait(RecordEnded)
    assert abs(line.wait(RecordEnded).duration_ms - 2500) < 300
    matrix = audio_matrix({name: tmp_path / f"{name}.wav" for name in phones}, tones, start_s=1.0)
    assert matrix.all_hear_each_other(), str(matrix)
    mix = tone_levels(tmp_path / "mix.wav", tones, start_s=1.0)
    assert min(mix.values()) > -35, mix
    assert line.seen(Heartbeat)[-1].rx_packets.keys() == set(legs.values())
    # one leaves, the others go on; a mute is heard by nobody
    phones["seat"].send(Hangup(leg=1))
    line.wait(LegEnded, leg=legs["seat"])
    line.send(Mute(leg=legs["caller"]))
    for name in ("caller", "specialist"):
        phones[name].send(Record(recording=2, path=str(tmp_path / f"{name}-2.wav"), legs=(1,)))
    lines.talk(1.5)
    for name in ("caller", "specialist"):
        phones[name].send(StopRecord(recording=2))
        phones[name].wait(RecordEnded, recording=2)
    caller_hears = tone_levels(tmp_path / "caller-2.wav", tones, start_s=0.5)
    specialist_hears = tone_levels(tmp_path / "specialist-2.wav", tones, start_s=0.5)
    assert caller_hears["specialist"] > -35 > caller_hears["seat"]
    assert max(specialist_hears.values()) < -35


def test_a_hold_and_a_resume_leave_the_bridge_as_it_was(lines: Farm, line: LineUnderTest, phone: LineUnderTest) -> None:
    raw = RawPhone(line.hello.sip_port)
    raw.send("INVITE")  # no offer: ours is answered in the ACK
    leg = line.wait(LegIncoming).leg
    line.send(Answer(leg=leg))
    raw.learn_media(raw.answer_to("INVITE")[1])
    raw.send("ACK", raw.sdp())
    line.wait(LegAnswered)
    ring_out(line, phone)
    line.send(Bridge(bridge=1, legs=(leg, 1)))
    assert raw.rtp_received(0.5) == 5
    for direction, is_heard in (("sendonly", False), ("sendrecv", True), ("inactive", False), ("sendrecv", True)):
        raw.invite(direction)
        assert raw.answer_to("INVITE")[0] == 200
        raw.send("ACK")
        lines.talk(0.1)
        raw.rtp_received(0.02)  # what was under way
        raw.rtp_received(0.02)
        assert (raw.rtp_received(0.3) > 0) is is_heard, direction
    raw.send("BYE")
    assert raw.answer_to("BYE")[0] == 200
    assert line.wait(LegEnded, leg=leg).by_remote
    phone.send(Hangup(leg=phone.seen(LegIncoming)[0].leg))
    line.wait(LegEnded, leg=1)
    raw.close()


def test_a_ringing_phone_is_cancelled_at_once(lines: Farm, line: LineUnderTest, phone: LineUnderTest) -> None:
    line.send(Ring(leg=1, uri=phone.uri()))
    incoming = phone.wait(LegIncoming)
    phone.send(Progress(leg=incoming.leg))
    line.wait(LegRinging)
    line.send(Hangup(leg=1))
    assert line.wait(LegEnded).sip_status == 487
    assert phone.wait(LegEnded).by_remote
    line.send(Ring(leg=3, uri=phone.uri()), Hangup(leg=3), Hangup(leg=3))
    assert not line.wait(LegEnded, leg=3).by_remote
    lines.talk(0.3)
    assert len(phone.seen(LegIncoming)) == len(phone.seen(LegEnded))


def test_a_fifth_leg_is_refused_and_the_four_talk_on(lines: Farm, line: LineUnderTest, phone: LineUnderTest) -> None:
    for leg in (1, 3, 5, 7):
        ring_out(line, phone, leg)
    line.send(Ring(leg=9, uri=phone.uri()))
    assert line.wait(LegEnded, leg=9).reason == "no leg free"
    raw = RawPhone(line.hello.sip_port)
    raw.invite()
    assert raw.answer_to("INVITE")[0] == 486
    raw.send("ACK")
    raw.close()
    line.send(*(Hangup(leg=leg) for leg in (1, 3, 5, 7)))
    for leg in (1, 3, 5, 7):
        line.wait(LegEnded, leg=leg)


def test_a_number_that_is_no_address_ends_its_leg(line: LineUnderTest) -> None:
    line.send(Ring(leg=1, uri="not an address"))
    assert "URI" in line.wait(LegEnded).reason
    line.events.clear()


def test_a_recording_ends_by_itself_in_time_and_is_never_begun_anew(
    lines: Farm, line: LineUnderTest, phone: LineUnderTest, tmp_path: Path
) -> None:
    leg = call(phone, line)
    path = tmp_path / "message.wav"
    line.send(Record(recording=1, path=str(path), legs=(leg,), max_s=0.5))
    ended = line.wait(RecordEnded)
    assert abs(ended.duration_ms - 500) < 100
    assert wav.is_whole(path)
    line.send(Record(recording=1, path=str(path), legs=(leg,)))
    lines.talk(0.2)
    assert wav.duration_ms(path) == ended.duration_ms
    phone.send(Hangup(leg=1))
    line.wait(LegEnded)


def test_a_caller_who_waited_is_heard_without_delay_when_bridged(
    lines: Farm, line: LineUnderTest, phone: LineUnderTest, tmp_path: Path
) -> None:
    seat = lines.line()
    leg = call(phone, line)
    ring_out(line, seat)
    seat_leg = seat.seen(LegIncoming)[0].leg
    sound = str(write_tone(tmp_path / "says.wav", 697))
    lines.talk(2.0)
    line.send(Bridge(bridge=1, legs=(leg, 1)))
    seat.send(Record(recording=1, path=str(tmp_path / "seat.wav"), legs=(seat_leg,)))
    begun = time.monotonic()
    lines.talk(0.2)
    phone.send(Play(leg=1, play=1, files=(sound,), loop=True))
    spoke_s = time.monotonic() - begun
    lines.talk(1.0)
    seat.send(StopRecord(recording=1))
    seat.wait(RecordEnded)
    samples = read_samples(tmp_path / "seat.wav")
    heard_s = next(number for number, sample in enumerate(samples) if abs(sample) > 300) / SAMPLE_RATE
    assert heard_s - spoke_s < 0.2, "a second of waiting must not become delay"
