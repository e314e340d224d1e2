"""What a line does with a 3xx: it tells status and target, and rings nobody there by itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ivr.line.messages import LegEnded, Ring
from tests.sip.line_under_test import Farm, farm

pytestmark = pytest.mark.sip

_COPIED = ("Via", "From", "Call-ID", "CSeq")


@pytest.fixture
def lines() -> Iterator[Farm]:
    with farm() as one:
        yield one
        assert one.faults() == []


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    phone, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    with phone, other:
        for one in (phone, other):
            one.bind(("127.0.0.1", 0))
            one.settimeout(5)
        yield phone, other


@pytest.mark.parametrize(("status", "words"), [(302, "Moved Temporarily"), (300, "Multiple Choices"), (305, "Proxy")])
def test_a_redirect_is_told_as_what_it_is_and_not_followed(
    lines: Farm, sockets: tuple[socket.socket, socket.socket], status: int, words: str
) -> None:
    line, (phone, other) = lines.line(), sockets
    line.send(Ring(leg=5, uri=f"sip:6101@127.0.0.1:{phone.getsockname()[1]}"))
    asked, source = phone.recvfrom(65536)
    head = asked.decode().split("\r\n\r\n")[0].split("\r\n")
    copied = [one for one in head if one.partition(":")[0] in _COPIED]
    (to,) = (one for one in head if one.startswith("To:"))
    target = f"sip:13900006101@127.0.0.1:{other.getsockname()[1]}"
    answer = [f"SIP/2.0 {status} {words}", *copied, f"{to};tag=p", f"Contact: <{target}>", "Content-Length: 0", "", ""]
    phone.sendto("\r\n".join(answer).encode(), source)
    ended = line.wait(LegEnded, leg=5)
    assert (ended.sip_status, ended.by_remote) == (status, True)
    assert ended.redirected_to == "<sip:13900006101@127.0.0.1>"
    other.settimeout(0.5)
    with pytest.raises(TimeoutError):
        other.recvfrom(65536)
