"""The door over TCP: framing, answers over the same connection, and connections that are of no use."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from config.bounds import BoundSettings
from ivr.sip.sockets import IDLE_S, MAX_CONNECTIONS, PARTIAL_MESSAGE_S
from tests.fakes.door import (
    DOOR,
    LINE,
    SDP,
    STRANGER,
    Stream,
    World,
    connect_to,
    in_dialog,
    invite,
    line_request,
    message,
    packet,
    reply,
    top_via,
)

PEER = ("198.51.100.1", 49152)
TCP = "SIP/2.0/TCP 198.51.100.1:5060"


def connected(world: World, peer: tuple[str, int] = PEER) -> tuple[Stream, StringTransport]:
    pair = world.connect(peer)
    assert pair is not None
    return pair


def test_a_call_over_tcp_is_answered_over_its_connection() -> None:
    world = World()
    stream, transport = connected(world)
    stream.dataReceived(invite(via=TCP))
    seen = world.to_line()
    world.from_line(reply(seen, "200 OK", tag="lt", extra=f"Contact: <sip:a@127.0.0.1:{LINE}>", body=SDP))
    answer = message(transport.value())
    assert answer.status == 200
    assert answer.first(b"contact") == b"<sip:a@192.0.2.10:5060;transport=tcp>"
    transport.clear()
    stream.dataReceived(in_dialog("ACK"))
    world.sent_in()
    world.from_line(line_request("BYE"))
    bye = message(transport.value())
    assert top_via(bye).startswith(b"SIP/2.0/TCP 192.0.2.10:5060")
    assert world.sent_out() == []


def test_messages_are_framed_by_content_length_however_they_are_cut() -> None:
    world = World()
    stream, _ = connected(world)
    data = (
        b"\r\n"
        + invite("a", tag="1", branch="z9hG4bK1")
        + b"\r\n\r\n"
        + invite("b", tag="2", branch="z9hG4bK2", body="")
    )
    for at in range(len(data)):
        stream.dataReceived(data[at : at + 1])
    assert [call.sip_call_id for _, call in world.calls] == ["a", "b"]


def test_two_messages_in_one_segment_are_two_messages() -> None:
    world = World()
    stream, _ = connected(world)
    stream.dataReceived(invite("a", tag="1", branch="z9hG4bK1") + invite("b", tag="2", branch="z9hG4bK2"))
    assert [call.sip_call_id for _, call in world.calls] == ["a", "b"]
    assert world.count("two_in_one") == 0


def test_a_double_crlf_is_answered_with_one() -> None:
    stream, transport = connected(World())
    stream.dataReceived(b"\r\n\r\n")
    assert transport.value() == b"\r\n"


def test_a_foreign_connection_is_not_taken() -> None:
    world = World()
    assert world.connect(STRANGER) is None
    assert world.count("foreign_source") == 1


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 9999999\r\n\r\n", "oversize"),
        (b"x" * 70000, "oversize"),
        (b"INVITE sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n", "bad_message"),
        (b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n", "bad_message"),
    ],
)
def test_a_stream_that_cannot_be_framed_is_closed(data: bytes, kind: str) -> None:
    world = World()
    stream, transport = connected(world)
    stream.dataReceived(data)
    assert transport.disconnected
    assert world.count(kind) >= 1


def test_a_message_that_drips_is_not_waited_for() -> None:
    world = World()
    stream, transport = connected(world)
    for _ in range(int(PARTIAL_MESSAGE_S) - 1):
        stream.dataReceived(b"I")
        world.reactor.advance(1.0)
    assert not transport.disconnected
    stream.dataReceived(b"I")
    world.reactor.advance(1.0)
    assert transport.disconnected


def test_a_connection_without_a_word_is_closed_in_the_end() -> None:
    world = World()
    stream, transport = connected(world)
    world.reactor.advance(IDLE_S - 1)
    stream.dataReceived(b"\r\n")
    world.reactor.advance(IDLE_S - 1)
    assert not transport.disconnected
    world.reactor.advance(1)
    assert transport.disconnected


def test_there_is_an_end_to_connections() -> None:
    world = World(bounds=BoundSettings(connections_per_source=4096))
    for port in range(MAX_CONNECTIONS):
        assert world.connect(("198.51.100.1", port)) is not None
    assert world.connect(("198.51.100.1", 999)) is None
    assert world.door.status()["streams"] == MAX_CONNECTIONS


def test_one_message_too_long_is_refused_and_the_calls_of_its_connection_live_on() -> None:
    world = World()
    stream, transport = connected(world)
    too_long = invite("big", via=TCP, branch="z9hG4bKbig", extra="X: " + "a" * 17000)
    body_too_long = invite("fat", via=TCP, branch="z9hG4bKfat", body=SDP + "a=x:" + "y" * 17000 + "\n")
    data = too_long + body_too_long + invite("good", via=TCP)
    for at in range(0, len(data), 1000):
        stream.dataReceived(data[at : at + 1000])
    answers = transport.value()
    assert answers.count(b"SIP/2.0 513 ") == 2
    assert [call.sip_call_id for _, call in world.calls] == ["good"]
    assert not transport.disconnected
    assert world.count("oversize") == 2


def test_a_trunk_that_says_tcp_is_rung_over_tcp() -> None:
    world = World(trunk={"transport": "tcp"})
    world.from_line(
        packet(
            "INVITE sip:021@198.51.100.1:5060 SIP/2.0",
            call_id="o1",
            cseq="5 INVITE",
            from_="<sip:x>;tag=lt",
            body=SDP,
            via=f"SIP/2.0/UDP 127.0.0.1:{LINE};rport;branch=z9hG4bKl1",
            to="<sip:021@198.51.100.1>",
            extra=f"Contact: <sip:line@127.0.0.1:{LINE}>",
        )
    )
    host, port, factory = world.reactor.tcpClients[0][:3]
    assert (host, port) == ("198.51.100.1", 5060)
    assert str(world.reactor.tcpClients[0][4]) == str((DOOR, 0))  # a trunk knows us by the address we listen at
    pair = connect_to(factory, (host, port))
    assert pair is not None
    stream, transport = pair
    sent = transport.value()
    assert top_via(message(sent)).startswith(b"SIP/2.0/TCP 192.0.2.10:5060")
    assert message(sent).first(b"contact") == b"<sip:line@192.0.2.10:5060;transport=tcp>"
    stream.dataReceived(reply(sent, "200 OK", tag="pt", extra="Contact: <sip:p@10.1.1.1;transport=tcp>", body=SDP))
    assert message(world.to_line()).status == 200
    transport.clear()
    world.door.line_died(LINE)
    assert message(transport.value()).method == "BYE"


def test_a_trunk_that_refuses_the_connection_is_a_503_for_the_line() -> None:
    world = World(trunk={"transport": "tcp"})
    world.from_line(
        packet(
            "INVITE sip:021@198.51.100.1:5060 SIP/2.0",
            call_id="o1",
            cseq="5 INVITE",
            from_="<sip:x>;tag=lt",
            via=f"SIP/2.0/UDP 127.0.0.1:{LINE};rport;branch=z9hG4bKl1",
            to="<sip:021@198.51.100.1>",
        )
    )
    factory: Any = world.reactor.tcpClients[0][2]  # it does not look at the connector
    factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
    answer = message(world.to_line())
    assert (answer.status, len(answer.values(b"via"))) == (503, 1)


def test_an_answer_whose_connection_has_gone_goes_to_the_address_in_the_via() -> None:
    world = World()
    stream, _ = connected(world)
    stream.dataReceived(invite(via=TCP))
    stream.connectionLost(Failure(ConnectionRefusedError()))
    world.from_line(reply(world.to_line(), "180 Ringing", tag="lt"))
    assert world.reactor.tcpClients[0][:2] == ("198.51.100.1", 5060)
