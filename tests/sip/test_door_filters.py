"""The door of the running service, from a bare UDP socket: what it filters, counts, and says for a dead line."""

from __future__ import annotations

import os
import re
import signal
import socket
import uuid
from collections.abc import Callable, Iterator

import pytest

from demo.service import Service
from demo.switchboard import Switchboard

pytestmark = pytest.mark.sip


class Wire:
    """One UDP socket that speaks SIP by hand; `call_id` and `tag` are its own."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._door = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.host, self.port = self._socket.getsockname()
        self.call_id = uuid.uuid4().hex

    def request(self, method: str, *, to_tag: str = "", cseq: int = 1, body: str = "", extra: str = "") -> bytes:
        """Return a request; INVITEs and their CANCELs and ACKs share a branch."""
        to = "<sip:12345@127.0.0.1>" + (f";tag={to_tag}" if to_tag else "")
        lines = [
            f"{method} sip:12345@127.0.0.1:{self._door[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bK{self.call_id}{cseq}",
            f"From: <sip:13800001111@{self.host}>;tag=w", f"To: {to}", f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}", f"Contact: <sip:w@{self.host}:{self.port}>", "Max-Forwards: 70",
        ]  # fmt: skip
        lines += [extra] if extra else []
        lines += ["Content-Type: application/sdp"] if body else []
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()

    def offer(self) -> str:
        """Return an SDP offer; nobody listens on its port, which is no matter here."""
        return ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                "m=audio 9 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n")  # fmt: skip

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, self._door)

    def hear(self, pattern: str, timeout_s: float = 5.0) -> str:
        """Return the first message that begins with `pattern`; AssertionError if none comes."""
        self._socket.settimeout(timeout_s)
        heard: list[str] = []
        while True:
            try:
                text = self._socket.recv(65536).decode()
            except TimeoutError:
                raise AssertionError(f"no {pattern}, but: {heard}") from None
            if re.match(pattern, text):
                return text
            heard.append(text.split("\r\n", 1)[0])

    def hears_nothing(self, for_s: float = 0.5) -> bool:
        self._socket.settimeout(for_s)
        try:
            self._socket.recv(65536)
        except TimeoutError:
            return True
        return False

    def answered(self) -> str:
        """Ring the service until it answers, and send the ACK; returns the 200."""
        self.send(self.request("INVITE", body=self.offer()))
        ok = self.hear("SIP/2.0 200 ")
        self.send(self.request("ACK", to_tag=tag_of(ok)))
        return ok

    def close(self) -> None:
        self._socket.close()


def tag_of(text: str) -> str:
    found = re.search(r"^To: .*;tag=([^;\r]+)", text, re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def strict_service(start_service: Callable[..., Service], switchboard: Switchboard) -> Service:
    """A service that lets in 127.0.0.1 and no other loopback address."""
    trunk = {"name": "switchboard", "host": f"127.0.0.1:{switchboard.port}", "allow": ["127.0.0.1/32"]}
    return start_service(sip={"trunks": [trunk]}, lines={"count": 4, "spare": 2})


@pytest.fixture
def wires(strict_service: Service) -> Iterator[Callable[..., Wire]]:
    """Make sockets that ring the service: wires() or wires(host="127.0.0.2")."""
    made: list[Wire] = []

    def make(host: str = "127.0.0.1") -> Wire:
        made.append(Wire(strict_service.sip_port, host))
        return made[-1]

    yield make
    for wire in made:
        wire.close()


def counters(service: Service) -> dict[str, int]:
    found: dict[str, int] = service.ask("status")["door"]["counters"]
    return found


def test_what_does_not_belong_here_is_filtered_and_counted(strict_service: Service, wires: Callable[..., Wire]) -> None:
    abort = wires()  # two packets that abort pjsua2 2.15 when they reach a line
    abort.send(abort.request("INVITE", body=abort.offer()))
    abort.send(abort.request("ACK"))
    abort.send(abort.request("ACK", to_tag="guessed"))
    abort.hear("SIP/2.0 200 ")
    abort.send(abort.request("ACK"))

    for method in ("SUBSCRIBE", "MESSAGE"):
        wire = wires()
        wire.send(wire.request(method))
        assert "\r\nAllow: INVITE, ACK, BYE, " in wire.hear("SIP/2.0 405 ")

    stranger = wires(host="127.0.0.2")
    stranger.send(stranger.request("OPTIONS"))
    assert stranger.hears_nothing()

    twins = wires()
    twins.send(twins.request("OPTIONS") + twins.request("OPTIONS", cseq=2))
    assert "CSeq: 1 OPTIONS" in twins.hear("SIP/2.0 200 ")
    assert twins.hears_nothing()

    long = wires()
    long.send(long.request("OPTIONS", extra="X: " + "x" * 17000))
    long.hear("SIP/2.0 513 ")

    caller = wires()
    caller.answered()  # after all that, the service answers
    caller.send(caller.request("BYE", to_tag="wrong", cseq=2))
    caller.hear("SIP/2.0 481 ")
    seen = counters(strict_service)
    wanted = {"ack_without_tag": 2, "method_refused": 2, "foreign_source": 1, "two_in_one": 1, "oversize": 1,
              "no_dialog": 2, "admitted": 2, "failed": 0}  # fmt: skip
    assert {kind: seen[kind] for kind in wanted} == wanted
    assert strict_service.ask("status")["lines"]["died"] == 0


def test_a_caller_whose_line_is_killed_hears_bye(strict_service: Service, wires: Callable[..., Wire]) -> None:
    caller = wires()
    ok = caller.answered()
    calls = strict_service.ask("status")["calls"]
    line_pid = next(call["pid"] for call in calls)
    os.kill(line_pid, signal.SIGKILL)
    bye = caller.hear("BYE ", timeout_s=2.0)
    assert f"Call-ID: {caller.call_id}" in bye
    assert f";tag={tag_of(ok)}" in bye
    assert counters(strict_service)["line_died_byes"] == 1


def test_a_full_house_says_when_to_try_again(strict_service: Service, wires: Callable[..., Wire]) -> None:
    refused = 0
    for _ in range(6):
        wire = wires()
        wire.send(wire.request("INVITE", body=wire.offer()))
        refused += "\r\nRetry-After: " in wire.hear("SIP/2.0 (200|503) ")
    assert refused >= 2
    assert counters(strict_service)["rejected_full"] == refused
