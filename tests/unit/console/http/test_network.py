"""Slow clients, large requests, many connections: the server's patience, by a virtual clock."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock as VirtualTime
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource

from config.console import ConsoleSettings
from console.http.network import Connections
from console.web import client_address


class Page(Resource):
    """Answers at once, or after the test lets it."""

    isLeaf = True
    asked: Any = None

    def render_GET(self, request: Any) -> bytes:
        return b"hello"

    def render_POST(self, request: Any) -> bytes:
        return b"took %d" % len(request.content.read())


Connected = tuple[Any, Any]  # a Channel and its Wire; Twisted annotates neither


class Wire(StringTransport):
    """A connection that can be aborted."""

    is_aborted = False

    def abortConnection(self) -> None:
        self.is_aborted = True
        self.disconnected = True


class Server:
    """A console's server with one page, and a clock that the test moves."""

    def __init__(self, **settings: Any) -> None:
        page: Any = Page()  # type: ignore[no-untyped-call]
        self.time = VirtualTime()
        self.console = Connections(page, ConsoleSettings(**settings), self.time, lambda path: 40_000)

    def connect(self, host: str = "127.0.0.1") -> Connected | None:
        channel: Any = self.console.buildProtocol(IPv4Address("TCP", host, 1))
        if channel is None:
            return None
        wire: Any = Wire(peerAddress=IPv4Address("TCP", host, 1))  # type: ignore[no-untyped-call]
        channel.makeConnection(wire)
        return channel, wire

    def connected(self) -> Connected:
        found = self.connect()
        assert found is not None
        return found


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def post(length: int, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length + body


def test_a_request_that_comes_in_one_piece_is_answered_and_another_may_follow() -> None:
    server = Server()
    channel, wire = server.connected()
    for _ in range(2):
        channel.dataReceived(GET)
        assert wire.value().endswith(b"hello")
        wire.clear()
        server.time.advance(30)
    assert not wire.is_aborted


def test_a_head_that_comes_a_byte_at_a_time_is_cut_off_after_ten_seconds() -> None:
    server = Server()
    channel, wire = server.connected()
    for byte in GET * 4:
        if wire.is_aborted:
            break
        channel.dataReceived(bytes([byte]))
        server.time.advance(0.5)
    assert wire.is_aborted
    assert 10 <= server.time.seconds() <= 11
    assert server.console.too_slow == 1


def test_a_connection_that_says_nothing_is_cut_off() -> None:
    server = Server()
    _, wire = server.connected()
    server.time.advance(10)
    assert wire.is_aborted


def test_a_body_that_trickles_is_cut_off_after_thirty_seconds() -> None:
    server = Server()
    channel, wire = server.connected()
    channel.dataReceived(post(1000))
    while not wire.is_aborted and server.time.seconds() < 100:
        channel.dataReceived(b"x")
        server.time.advance(1)
    assert wire.is_aborted
    assert 30 <= server.time.seconds() <= 31


def test_who_does_not_ask_again_within_a_minute_is_let_go() -> None:
    server = Server()
    channel, wire = server.connected()
    channel.dataReceived(GET)
    server.time.advance(59)
    assert not wire.is_aborted
    server.time.advance(1)
    assert wire.is_aborted


def test_a_second_request_has_no_more_time_for_its_head_than_the_first() -> None:
    server = Server()
    channel, wire = server.connected()
    channel.dataReceived(GET)
    server.time.advance(20)
    channel.dataReceived(b"GET / HTTP/1.1\r\n")
    server.time.advance(9.9)
    assert not wire.is_aborted
    channel.dataReceived(b"Host: x\r\n")
    server.time.advance(0.2)
    assert wire.is_aborted


@pytest.mark.parametrize("length", [40_001, 10**12])
def test_a_body_that_says_it_is_too_long_is_refused_unread(length: int) -> None:
    server = Server()
    channel, wire = server.connected()
    channel.dataReceived(post(length, b"x" * 1000))
    assert wire.value().startswith(b"HTTP/1.1 413 ")
    assert b"content-security-policy" in wire.value().lower()
    assert b"took" not in wire.value()


def test_a_chunked_body_that_turns_out_too_long_is_refused() -> None:
    server = Server()
    channel, wire = server.connected()
    channel.dataReceived(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(50):
        channel.dataReceived(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
    channel.dataReceived(b"0\r\n\r\n")
    assert wire.value().count(b"HTTP/1.1 413 ") == 1
    assert b"took" not in wire.value()


def test_a_body_just_short_enough_is_taken() -> None:
    server = Server()
    channel, wire = server.connected()
    channel.dataReceived(post(40_000, b"x" * 40_000))
    assert wire.value().endswith(b"took 40000")


def test_connections_are_counted_in_all_and_by_address_and_freed_when_gone() -> None:
    server = Server(max_connections=12, max_connections_per_address=10)
    kept = [server.connect("10.0.0.1") for _ in range(11)]
    assert [one is None for one in kept] == [False] * 10 + [True]
    others = [server.connect(f"10.0.1.{n}") for n in range(3)]
    assert [one is None for one in others] == [False, False, True]
    assert kept[0] is not None
    kept[0][0].connectionLost(None)
    assert server.connect("10.0.2.1") is not None


def test_no_deadline_is_left_when_a_connection_is_gone() -> None:
    server = Server()
    channel, _ = server.connected()
    channel.dataReceived(GET)
    channel.connectionLost(None)
    assert not server.time.getDelayedCalls()


def test_only_a_proxy_of_ours_may_say_who_asks() -> None:
    settings = ConsoleSettings(listen="0.0.0.0:80", behind_proxy=["10.0.0.0/24"])
    headers = {"x-forwarded-for": "1.2.3.4, 203.0.113.9"}
    for peer, found in (("10.0.0.7", "203.0.113.9"), ("192.0.2.1", "192.0.2.1")):
        assert client_address(IPv4Address("TCP", peer, 1), headers, settings.behind_proxy) == found
    forged = {"x-forwarded-for": "not an address"}
    assert client_address(IPv4Address("TCP", "10.0.0.7", 1), forged, settings.behind_proxy) == "10.0.0.7"
