"""What a line's own INVITEs look like, how it answers a challenge, and what it does when nobody answers it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from ivr.line.messages import Answer, Hangup, LegAnswered, LegEnded, LegIncoming, LegRinging, Ring
from tests.sip.line_raw_phone import RawPhone
from tests.sip.line_under_test import Farm, farm
from tests.sip.ports import rtp_ports

pytestmark = pytest.mark.sip


@pytest.fixture
def lines() -> Iterator[Farm]:
    with farm() as one:
        yield one
        assert one.faults() == []


class Trunk:
    """A far end of bare sockets: takes requests one by one, and answers what the test says."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(3)
        self.port = self.socket.getsockname()[1]

    def take(self, method: str) -> tuple[str, tuple[str, int]]:
        while True:
            data, source = self.socket.recvfrom(65536)
            if data.startswith(method.encode() + b" "):
                return data.decode(), source

    def answer(self, request: str, source: tuple[str, int], status: str, *more: str) -> None:
        copied = re.findall(r"^(?:Via|From|Call-ID|CSeq|Record-Route): .*$", request, re.MULTILINE)
        to = re.findall(r"^To: .*$", request, re.MULTILINE)[0].strip()
        lines = [f"SIP/2.0 {status}", *(line.strip() for line in copied), to + ";tag=far", *more, "Content-Length: 0"]
        self.socket.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), source)


@pytest.fixture
def trunk() -> Iterator[Trunk]:
    one = Trunk()
    yield one
    one.socket.close()


def header(request: str, name: str) -> str:
    return str(re.findall(rf"^{name}: (.*?)\r?$", request, re.MULTILINE)[0])


def test_an_invite_goes_by_the_door_shows_the_callers_number_and_answers_a_challenge(lines: Farm, trunk: Trunk) -> None:
    ports = rtp_ports()
    line = lines.line(
        outbound_proxy=f"sip:127.0.0.1:{trunk.port};lr",
        **ports,
        auth_username="enterprise-line",
        auth_password="secret",
    )
    line.send(
        Ring(
            leg=1,
            uri="sip:02152550000@sbc.example.cn",
            from_number="12345",
            display_name="企业专席",
            headers={"X-Call": "7"},
        )
    )
    first, source = trunk.take("INVITE")
    assert first.startswith("INVITE sip:02152550000@sbc.example.cn SIP/2.0\r\n")
    assert header(first, "Route") == f"<sip:127.0.0.1:{trunk.port};lr>"
    assert re.match(r'"企业专席" <sip:12345@127\.0\.0\.1(:\d+)?>;tag=', header(first, "From"))
    assert header(first, "X-Call") == "7"
    assert f"@127.0.0.1:{line.hello.sip_port}" in header(first, "Contact")
    media_port = int(re.findall(r"^m=audio (\d+) ", first, re.MULTILINE)[0])
    assert ports["rtp_port"] <= media_port < ports["rtp_port"] + ports["rtp_port_range"]
    assert re.findall(r"^a=rtpmap:\d+ (\S+)", first, re.MULTILINE) == [
        "PCMA/8000",
        "PCMU/8000",
        "telephone-event/8000",
    ]
    trunk.answer(
        first, source, "407 Proxy Authentication Required", 'Proxy-Authenticate: Digest realm="sbc", nonce="abc"'
    )
    second, source = trunk.take("INVITE")
    assert 'username="enterprise-line"' in header(second, "Proxy-Authorization")
    assert "secret" not in second
    trunk.answer(second, source, "180 Ringing")
    line.wait(LegRinging)
    trunk.answer(second, source, "486 Busy Here")
    ended = line.wait(LegEnded)
    assert (ended.sip_status, ended.by_remote, ended.is_lingering) == (486, True, False)


def test_a_far_end_that_says_nothing_gets_no_cancel_before_it_speaks_and_its_leg_lingers(
    lines: Farm, trunk: Trunk
) -> None:
    line = lines.line()
    line.send(Ring(leg=1, uri=f"sip:1@127.0.0.1:{trunk.port}"))
    invite, source = trunk.take("INVITE")
    line.send(Hangup(leg=1))
    assert line.wait(LegEnded).is_lingering
    # RFC 3261 9.1
    trunk.answer(invite, source, "180 Ringing")
    assert trunk.take("CANCEL")


def test_a_caller_who_answers_our_bye_is_gone_and_one_who_does_not_lingers(
    lines: Farm,
) -> None:
    line = lines.line()
    for _ in range(5):
        raw = RawPhone(line.hello.sip_port)
        raw.invite()
        leg = line.wait(LegIncoming).leg
        line.send(Answer(leg=leg))
        raw.answer_to("INVITE")
        raw.send("ACK")
        line.wait(LegAnswered, leg=leg)
        raw.send("BYE")
        assert raw.answer_to("BYE")[0] == 200
        assert not line.wait(LegEnded).is_lingering
        raw.close()
    raw = RawPhone(line.hello.sip_port)
    raw.invite()
    leg = line.wait(LegIncoming).leg
    line.send(Answer(leg=leg))
    raw.answer_to("INVITE")
    raw.send("ACK")
    line.wait(LegAnswered, leg=leg)
    line.send(Hangup(leg=leg))
    assert line.wait(LegEnded).is_lingering
    raw.close()
