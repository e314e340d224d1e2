"""Whose sound a line takes, and what it makes of silence: strangers, holds, comfort noise, reports."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from ivr.line.messages import Answer, Heartbeat, KeyPressed, LegAnswered, LegEnded, LegIncoming, LegOnHold
from tests.sip.line_raw_phone import RawPhone
from tests.sip.line_under_test import Farm, LineUnderTest, farm

pytestmark = [pytest.mark.sip, pytest.mark.listens]
SOUND = b"\xd5" * 160


@pytest.fixture(scope="module")
def lines() -> Iterator[Farm]:
    with farm() as one:
        yield one
        assert one.faults() == []


@pytest.fixture
def line(lines: Farm) -> LineUnderTest:
    return lines.line()


@pytest.fixture
def raw(lines: Farm, line: LineUnderTest) -> Iterator[RawPhone]:
    """A phone whose call is up, and which has not sent any sound."""
    phone = RawPhone(line.hello.sip_port)
    phone.invite()
    line.send(Answer(leg=line.wait(LegIncoming).leg))
    phone.learn_media(phone.answer_to("INVITE")[1])
    phone.send("ACK")
    line.wait(LegAnswered)
    yield phone
    phone.send("BYE")
    line.wait(LegEnded)
    phone.close()


def talk(lines: Farm, phone: RawPhone, packets: int) -> None:
    for _ in range(packets):
        phone.rtp(SOUND)
        lines.talk(0.02)


def signs(lines: Farm, line: LineUnderTest) -> int:
    """Return the signs of life of the only leg, as told from now on."""
    seen = len(line.seen(Heartbeat))
    while len(line.seen(Heartbeat)) < seen + 2:
        lines.talk(0.2)
    (count,) = line.seen(Heartbeat)[-1].signs_of_life.values()
    return count


def stranger(host: str = "127.0.0.2") -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((host, 0))
    one.setblocking(False)
    return one


def spray(lines: Farm, source: socket.socket, phone: RawPhone, *, packets: int, key: int) -> int:
    """Send sound and a key from a foreign source; return how many packets it gets back."""
    got = 0
    for number in range(packets):
        head = struct.pack(">BBHII", 0x80, 8, number, number * 160, 0x666)
        source.sendto(head + SOUND, ("127.0.0.1", phone.media_port))
        event = struct.pack(">BBHII", 0x80, phone.event_kind, number, 99999, 0x666) + struct.pack(">BBH", key, 10, 160)
        source.sendto(event, ("127.0.0.1", phone.media_port))
        lines.talk(0.02)
        while True:
            try:
                source.recv(2000)
                got += 1
            except BlockingIOError:
                break
    return got


def test_a_stranger_hears_nothing_and_presses_nothing_while_the_owner_is_silent(
    lines: Farm, line: LineUnderTest, raw: RawPhone
) -> None:
    talk(lines, raw, 5)
    with stranger() as foreign:
        assert spray(lines, foreign, raw, packets=60, key=3) == 0
    assert line.seen(KeyPressed) == []
    raw.press(7)
    assert line.wait(KeyPressed).digit == "7"


def test_a_stranger_on_the_same_host_comes_too_late(lines: Farm, line: LineUnderTest, raw: RawPhone) -> None:
    talk(lines, raw, 1)
    with stranger("127.0.0.1") as foreign:
        assert spray(lines, foreign, raw, packets=40, key=3) == 0
    assert line.seen(KeyPressed) == []


def test_sound_from_another_place_than_sdp_names_is_taken_when_nobody_else_talks(
    lines: Farm, line: LineUnderTest, raw: RawPhone
) -> None:
    with stranger() as gateway:
        assert spray(lines, gateway, raw, packets=60, key=4) > 0
    assert line.wait(KeyPressed).digit == "4"


def test_sound_follows_a_new_address_at_once(lines: Farm, line: LineUnderTest, raw: RawPhone) -> None:
    talk(lines, raw, 5)
    with stranger("127.0.0.3") as new:
        offer = raw.sdp().replace("o=- 1 1", "o=- 1 2").replace("c=IN IP4 127.0.0.1", "c=IN IP4 127.0.0.3")
        port = offer.partition("m=audio ")[2].partition(" ")[0]
        raw.send("INVITE", offer.replace(f"m=audio {port} ", f"m=audio {new.getsockname()[1]} "))
        assert raw.answer_to("INVITE")[0] == 200
        raw.send("ACK")
        lines.talk(0.5)
        assert len(new.recv(2000)) == 172
        assert spray(lines, new, raw, packets=5, key=9) > 0
    assert line.wait(KeyPressed).digit == "9"


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_a_phone_on_hold_is_told_and_its_silence_is_no_death(
    lines: Farm, line: LineUnderTest, raw: RawPhone, direction: str
) -> None:
    raw.invite(direction)
    assert raw.answer_to("INVITE")[0] == 200
    raw.send("ACK")
    assert line.wait(LegOnHold).is_on_hold
    before = signs(lines, line)
    assert signs(lines, line) > before
    raw.invite("sendrecv")
    assert raw.answer_to("INVITE")[0] == 200
    raw.send("ACK")
    assert not line.wait(LegOnHold).is_on_hold


def test_hold_by_the_old_way_is_hold(lines: Farm, line: LineUnderTest, raw: RawPhone) -> None:
    raw.send("INVITE", raw.sdp().replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"))  # RFC 2543
    assert raw.answer_to("INVITE")[0] == 200
    raw.send("ACK")
    assert line.wait(LegOnHold).is_on_hold


def test_comfort_noise_and_reports_are_signs_of_life_and_nothing_is_none(
    lines: Farm, line: LineUnderTest, raw: RawPhone
) -> None:
    assert signs(lines, line) == signs(lines, line) == 0
    raw.rtp(b"\x40", kind=13)
    assert signs(lines, line) == 1
    report = struct.pack("!BBHIIIIIII", 0x81, 201, 7, 0x1234, 1, 0, 0, 0, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp:
        rtcp.sendto(report, ("127.0.0.1", raw.media_port + 1))
    assert signs(lines, line) == 2
