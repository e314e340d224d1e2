"""A door in a box for unit tests: no sockets, a virtual clock, lines and peers that speak by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from config.bounds import BoundSettings
from config.settings import SipSettings
from ivr.door.door import Door, IncomingCall
from ivr.sip.message import SipMessage, read
from tests.fakes.event_log import BEGUN, EventLog

TRUNK = ("198.51.100.1", 5060)
STRANGER = ("203.0.113.66", 5060)
DOOR = "192.0.2.10"
LINE = 41001
INNER = 40000
SDP = "v=0\no=- 7 7 IN IP4 198.51.100.1\ns=x\nc=IN IP4 198.51.100.1\nt=0 0\nm=audio 30000 RTP/AVP 8 101\n" + (
    "a=rtpmap:101 telephone-event/8000\n"
)


def wire(text: str) -> bytes:
    """Return readable text as it is sent: CRLF, and no indentation of the test."""
    lines = [line.strip("\r") for line in text.strip("\n").split("\n")]
    return "\r\n".join(lines).encode() + (b"" if "" in lines else b"\r\n\r\n")


def packet(
    start: str,
    *,
    call_id: str = "c1",
    cseq: str,
    via: str | list[str] = "",
    from_: str = "<sip:1380@carrier>;tag=ct",
    to: str = "<sip:12345@hotline>",
    extra: str = "",
    body: str = "",
) -> bytes:
    """Return one message."""
    vias = [via] if isinstance(via, str) else via
    lines = [start, *(f"Via: {one}" for one in vias), f"From: {from_}", f"To: {to}", f"Call-ID: {call_id}"]
    lines += [f"CSeq: {cseq}", *(line.strip() for line in extra.strip().splitlines())]
    content = body.replace("\n", "\r\n").encode()
    if body:
        lines.append("Content-Type: application/sdp")
    lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def invite(
    call_id: str = "c1",
    *,
    branch: str = "z9hG4bKa1",
    tag: str = "ct",
    cseq: int = 1,
    body: str = SDP,
    extra: str = "Contact: <sip:1380@198.51.100.1:5060>\nMax-Forwards: 70",
    via: str = "SIP/2.0/UDP 198.51.100.1:5060",
) -> bytes:
    """Return an INVITE of the trunk."""
    return packet(
        "INVITE sip:12345@192.0.2.10 SIP/2.0",
        call_id=call_id,
        cseq=f"{cseq} INVITE",
        via=f"{via};branch={branch}",
        from_=f"<sip:13800001111@carrier>;tag={tag}",
        extra=extra,
        body=body,
    )


def reply(request: bytes, status: str, *, tag: str = "", extra: str = "", body: str = "") -> bytes:
    """Return the answer of an endpoint to a request as it received it."""
    asked = read(request)
    to = (asked.first(b"to") or b"").decode() + (f";tag={tag}" if tag else "")
    routes = [f"Record-Route: {value.decode()}" for value in asked.values(b"record-route")]
    return packet(
        f"SIP/2.0 {status}",
        call_id=asked.call_id.decode(),
        cseq=(asked.first(b"cseq") or b"").decode(),
        via=[value.decode() for value in asked.values(b"via")],
        from_=(asked.first(b"from") or b"").decode(),
        to=to,
        extra="\n".join([*routes, extra]),
        body=body,
    )


@dataclass
class FakeSlot:
    """A line's place that remembers what it was told."""

    sip_port: int
    log: EventLog
    expected: list[str] = field(default_factory=list)
    released: int = 0
    refusals: list[tuple[str, int]] = field(default_factory=list)
    given_up: int = 0

    def refused(self, sip_call_id: str, sip_status: int) -> None:
        self.refusals.append((sip_call_id, sip_status))

    def give_up(self) -> None:
        self.given_up += 1

    def expect(self, sip_call_id: str) -> None:
        self.log.add(BEGUN, "expect", {"sip_call_id": sip_call_id})
        self.expected.append(sip_call_id)

    def release(self) -> None:
        self.released += 1


class FakeLines:
    """As many free lines as the test says, on ports from LINE."""

    def __init__(self, free: int, log: EventLog) -> None:
        self.log = log
        self.slots: list[FakeSlot] = []
        self.free = free
        self.is_growing = False

    def take(self) -> FakeSlot | None:
        if len(self.slots) >= self.free:
            return None
        self.log.add(BEGUN, "take_line", {})
        self.slots.append(FakeSlot(LINE + len(self.slots), self.log))
        return self.slots[-1]

    def is_line(self, sip_port: int) -> bool:
        return LINE <= sip_port < LINE + 100


class FakeDatagrams:
    """Where a door's datagrams go."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def write(self, data: bytes, addr: tuple[str, int]) -> None:
        self.log.add(BEGUN, "datagram", {"to": addr})
        self.sent.append((data, addr))


class Reactor(MemoryReactorClock):
    """Twisted's reactor in memory, with UDP and a resolver."""

    def __init__(self, log: EventLog) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.log = log
        self.datagrams: list[tuple[Any, FakeDatagrams]] = []
        self.hosts: dict[str, str] = {}
        self.resolving: Deferred[str] | None = None

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> Any:
        class Port:
            def getHost(self) -> IPv4Address:
                return IPv4Address("UDP", interface, port or INNER)

            def stopListening(self) -> None:
                return None

        transport = FakeDatagrams(self.log)
        protocol.transport = transport
        self.datagrams.append((protocol, transport))
        return Port()

    def resolve(self, name: str, timeout: Any = ()) -> Deferred[str]:
        if self.resolving is not None:
            return self.resolving
        return succeed(self.hosts[name]) if name in self.hosts else fail(DNSLookupError(name))


class Stream(Protocol):
    """One end of a TCP connection, as a test drives it."""

    def dataReceived(self, data: bytes, /) -> None:
        """Let bytes arrive."""

    def connectionLost(self, reason: Failure, /) -> None:
        """Let the connection end."""


def connect_to(factory: Any, peer: tuple[str, int]) -> tuple[Stream, StringTransport] | None:
    """Return the connection that a factory makes for `peer`, and what is written to it; None if it makes none."""
    stream = factory.buildProtocol(IPv4Address("TCP", *peer))
    if stream is None:
        return None
    transport = StringTransport(peerAddress=IPv4Address("TCP", *peer))
    stream.makeConnection(transport)
    return stream, transport


class World:
    """A started door with `free` lines and one trunk; what it sends is read with `to_network` and `to_line`."""

    def __init__(
        self, *, free: int = 4, trunk: dict[str, Any] | None = None, bounds: BoundSettings | None = None,
        line_count: int = 0, others: tuple[dict[str, Any], ...] = (), book: Path | None = None, **sip: Any,
    ) -> None:  # fmt: skip
        self.log = EventLog()
        self.reactor = Reactor(self.log)
        self.lines = FakeLines(free, self.log)
        self.calls: list[tuple[FakeSlot, IncomingCall]] = []
        first = {"name": "carrier", "host": "198.51.100.1:5060", "allow": ["198.51.100.0/24"], **(trunk or {})}
        settings = SipSettings.model_validate({"listen": f"{DOOR}:5060", "trunks": [first, *others], **sip})
        self.door = Door(
            settings, self.lines, self.reactor, self._on_call, bounds=bounds, line_count=line_count, book=book
        )
        done = ensureDeferred(self.door.start())
        assert done.called
        (self._outer, self._outer_transport), (self._inner, self._inner_transport) = self.reactor.datagrams

    def _on_call(self, slot: FakeSlot, call: IncomingCall) -> None:
        self.log.add(BEGUN, "take_call", {"sip_call_id": call.sip_call_id})
        self.calls.append((slot, call))

    def from_network(self, data: bytes, source: tuple[str, int] = TRUNK) -> None:
        self._outer.datagramReceived(data, source)

    def from_line(self, data: bytes, port: int = LINE) -> None:
        self._inner.datagramReceived(data, ("127.0.0.1", port))

    def sent_out(self) -> list[tuple[bytes, tuple[str, int]]]:
        """Return and forget the datagrams sent to the network."""
        sent, self._outer_transport.sent = self._outer_transport.sent, []
        return sent

    def sent_in(self) -> list[tuple[bytes, tuple[str, int]]]:
        """Return and forget the datagrams sent to lines."""
        sent, self._inner_transport.sent = self._inner_transport.sent, []
        return sent

    def to_network(self) -> bytes:
        """Return the one datagram sent to the network."""
        ((data, _),) = self.sent_out()
        return data

    def to_line(self, port: int = LINE) -> bytes:
        """Return the one datagram sent to the line on `port`."""
        ((data, address),) = self.sent_in()
        assert address == ("127.0.0.1", port)
        return data

    def count(self, kind: str) -> int:
        return self.door.counters[kind]

    def connect(self, peer: tuple[str, int] = TRUNK) -> tuple[Stream, StringTransport] | None:
        """Return a TCP connection from `peer` and what the door writes to it; None if it is not taken."""
        return connect_to(self.reactor.tcpServers[0][1], peer)

    def answered_call(self, call_id: str = "c1", *, contact: str = "", **parts: Any) -> bytes:
        """Bring a call in and up: INVITE, 200, ACK; returns the INVITE as the line saw it."""
        self.from_network(invite(call_id, **parts))
        seen = self.to_line()
        self.from_line(reply(seen, "200 OK", tag="lt", extra=f"Contact: <sip:12345@127.0.0.1:{LINE}>", body=SDP))
        self.sent_out()
        self.from_network(in_dialog("ACK", call_id))
        self.sent_in()
        return seen

    def placed_call(self, uri: str = "sip:02152550000@198.51.100.1:5060", *, call_id: str = "o1") -> bytes:
        """Let a line ring somebody; returns the INVITE as the network saw it."""
        self.from_line(line_invite(uri, call_id=call_id))
        return self.to_network()


def line_invite(uri: str, *, call_id: str = "o1", cseq: int = 100, branch: str = "z9hG4bKl1", extra: str = "") -> bytes:
    """Return an INVITE of a line, with the door as its outbound proxy."""
    return packet(
        f"INVITE {uri} SIP/2.0",
        call_id=call_id,
        cseq=f"{cseq} INVITE",
        via=f"SIP/2.0/UDP 127.0.0.1:{LINE};rport;branch={branch}",
        from_="<sip:12345@127.0.0.1>;tag=lt",
        to=f"<{uri}>",
        body=SDP.replace("198.51.100.1", "127.0.0.1"),
        extra=f"Route: <sip:127.0.0.1:{INNER};lr>\nContact: <sip:line@127.0.0.1:{LINE};ob>\nMax-Forwards: 70\n{extra}",
    )


def in_dialog(
    method: str,
    call_id: str = "c1",
    *,
    tags: tuple[str, str] = ("ct", "lt"),
    branch: str = "z9hG4bKb1",
    cseq: int = 1,
    extra: str = "",
    body: str = "",
) -> bytes:
    """Return a request of the caller at the trunk within its dialog."""
    routes = f"Route: <sip:{DOOR}:5060;lr>, <sip:127.0.0.1:{INNER};lr>\nMax-Forwards: 70\n"
    to = "<sip:12345@hotline>" + (f";tag={tags[1]}" if tags[1] else "")
    return packet(
        f"{method} sip:12345@{DOOR}:5060 SIP/2.0",
        call_id=call_id,
        cseq=f"{cseq} {method}",
        via=f"SIP/2.0/UDP 198.51.100.1:5060;branch={branch}",
        to=to,
        body=body,
        from_=f"<sip:13800001111@carrier>;tag={tags[0]}",
        extra=routes + extra,
    )


def line_request(
    method: str,
    call_id: str = "c1",
    *,
    cseq: int = 7,
    tags: tuple[str, str] = ("lt", "ct"),
    uri: str = "sip:1380@198.51.100.1:5060",
    outer: str = "",
    extra: str = "",
) -> bytes:
    """Return a request of the line within its dialog."""
    routes = f"Route: <sip:127.0.0.1:{INNER};lr>\nRoute: <{outer or f'sip:{DOOR}:5060;lr'}>\nMax-Forwards: 70\n"
    return packet(
        f"{method} {uri} SIP/2.0",
        call_id=call_id,
        cseq=f"{cseq} {method}",
        extra=routes + extra,
        via=f"SIP/2.0/UDP 127.0.0.1:{LINE};rport;branch=z9hG4bKl{method}{cseq}",
        from_=f"<sip:12345@hotline>;tag={tags[0]}",
        to=f"<sip:1380@carrier>;tag={tags[1]}",
    )


def message(data: bytes) -> SipMessage:
    """Return a sent message, which must be faultless."""
    found = read(data)
    assert found.fault is None
    assert not found.excess
    return found


def top_via(one: SipMessage) -> bytes:
    """Return the first Via of a message, b"" if it has none."""
    return one.top(b"via") or b""


def branch(one: SipMessage) -> bytes:
    """Return the branch of a message's first Via, which must be there."""
    assert one.via is not None
    return one.via.branch
