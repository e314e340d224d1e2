"""Keys that a line hears in real calls: by RFC 4733 and by INFO, each press once, whatever of it arrives."""

from __future__ import annotations

import math
import re
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from ivr.line.messages import Answer, Hangup, KeyPressed, LegAnswered, LegEnded, LegIncoming, Ring
from ivr.line.tone_keys import decoder
from tests.sip.line_raw_phone import RawPhone
from tests.sip.line_under_test import Farm, LineUnderTest, farm

DECODED = decoder("A")

pytestmark = [pytest.mark.sip, pytest.mark.listens]


@pytest.fixture(scope="module")
def lines() -> Iterator[Farm]:
    with farm() as one:
        yield one
        assert one.faults() == []


@pytest.fixture
def line(lines: Farm) -> LineUnderTest:
    return lines.line()


def test_keys_by_both_ways_are_heard_and_one_press_is_one_key(lines: Farm, line: LineUnderTest) -> None:
    raw = RawPhone(line.hello.sip_port)
    raw.invite()
    line.send(Answer(leg=line.wait(LegIncoming).leg))
    raw.learn_media(raw.answer_to("INVITE")[1])
    raw.send("ACK")
    line.wait(LegAnswered)
    raw.press(5)
    raw.send("INFO", "Signal=5\r\nDuration=160\r\n", "application/dtmf-relay")
    assert raw.answer_to("INFO")[0] == 200
    raw.press(11)
    line.wait(KeyPressed, digit="#")
    assert sorted(key.digit for key in line.seen(KeyPressed)) == ["#", "5"]
    raw.send("BYE")
    line.wait(LegEnded)
    raw.close()


def only_ends(raw: RawPhone, event: int) -> Iterator[None]:
    for number in range(3):
        raw.rtp(struct.pack(">BBH", event, 0x8A, 1280), raw.event_kind, held=number > 0)
        yield


def one_packet(raw: RawPhone, event: int) -> Iterator[None]:
    raw.rtp(struct.pack(">BBH", event, 0x0A, 160), raw.event_kind, marker=True)
    yield


def zero_duration(raw: RawPhone, event: int) -> Iterator[None]:
    for number, flags in enumerate((0x0A, 0x0A, 0x8A, 0x8A, 0x8A)):
        raw.rtp(struct.pack(">BBH", event, flags, 0), raw.event_kind, held=number > 0)
        yield


@pytest.mark.parametrize(("press", "kind"), [(only_ends, 0), (one_packet, 0), (zero_duration, 0), (only_ends, 97)])
def test_equal_digits_in_a_row_are_all_heard(
    lines: Farm, line: LineUnderTest, press: Callable[[RawPhone, int], Iterator[None]], kind: int
) -> None:
    raw = RawPhone(line.hello.sip_port)
    raw.invite()
    line.send(Answer(leg=line.wait(LegIncoming).leg))
    answer = raw.answer_to("INVITE")[1]
    raw.learn_media(answer)
    raw.event_kind = kind or raw.event_kind
    raw.send("ACK")
    line.wait(LegAnswered)
    for digit in (2, 2, 0, 0, 0, 1):
        for _ in press(raw, digit):
            lines.talk(0.01)
        for _ in range(6):  # a pause of 120 ms, in sound
            raw.rtp(b"\xd5" * 160)
            lines.talk(0.02)
    for _ in press(raw, 11):
        lines.talk(0.01)
    line.wait(KeyPressed, digit="#")
    assert "".join(key.digit for key in line.seen(KeyPressed)) == "220001#"
    raw.send("BYE")
    line.wait(LegEnded)
    raw.close()


def test_a_call_out_offers_telephone_event_as_101(lines: Farm, line: LineUnderTest) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(3)
        line.send(Ring(leg=1, uri=f"sip:8001@127.0.0.1:{phone.getsockname()[1]}"))
        offer = phone.recv(65536).decode()
        line.send(Hangup(leg=1))
    assert re.search(r"^m=audio \d+ RTP/AVP 8 0 101\r$", offer, re.MULTILINE), offer
    assert "\r\na=rtpmap:101 telephone-event/8000\r\n" in offer


def test_keys_are_heard_in_the_sound_of_a_phone_that_knows_no_telephone_event(
    lines: Farm, line: LineUnderTest
) -> None:
    raw = RawPhone(line.hello.sip_port)
    raw.send("INVITE", re.sub(r" 101\r\n(a=rtpmap:8[^\n]*\n).*fmtp[^\n]*\n", r"\r\n\1", raw.sdp(), flags=re.DOTALL))
    line.send(Answer(leg=line.wait(LegIncoming).leg))
    answer = raw.answer_to("INVITE")[1]
    assert "telephone-event" not in answer
    raw.media_port = int(re.findall(r"^m=audio (\d+)", answer, re.MULTILINE)[0])
    raw.send("ACK")
    assert line.wait(LegAnswered).has_key_events is False
    at = 0
    for tones, packets in (((), 5), ((770, 1336), 4), ((), 5), ((770, 1336), 5), ((), 5), ((941, 1477), 4), ((), 3)):
        for _ in range(packets):
            raw.rtp(bytes(a_law(sum(8000 * math.sin(2 * math.pi * hz * (at + n) / 8000) for hz in tones))
                          for n in range(160)))  # fmt: skip
            at += 160
            lines.talk(0.02)
    line.wait(KeyPressed, digit="#")
    assert "".join(key.digit for key in line.seen(KeyPressed)) == "55#"
    raw.send("BYE")
    line.wait(LegEnded)
    raw.close()


def a_law(sample: float) -> int:
    """Return the byte of G.711 A-law that comes nearest to a sample."""
    return min(range(256), key=lambda code: abs(DECODED[code] - sample))
