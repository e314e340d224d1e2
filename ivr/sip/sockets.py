"""The door's sockets: UDP and TCP toward the network, UDP on loopback toward the lines.

Sockets know bytes and frames, no SIP beyond Content-Length. Nothing that arrives can raise into the reactor.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Protocol

import structlog
from twisted.internet import protocol
from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from ivr.sip.fields import BadMessage
from ivr.sip.message import content_length

log = structlog.get_logger()

PARTIAL_MESSAGE_S = 10.0  # a message begun on a stream must be whole by then
IDLE_S = 900.0
CONNECT_S = 5.0
MAX_CONNECTIONS = 256
LONGEST_HEAD = 65_536  # what is read of a message before its stream is given up
LONGEST_SKIPPED = 1 << 20
_RECEIVE_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Hop:
    """The next element: `transport` is udp or tcp, `host` numeric once resolved."""

    transport: str
    host: str
    port: int


class Listener(Protocol):
    """Who hears what the sockets receive."""

    def from_network(self, data: bytes, source: Hop) -> None: ...
    def oversize(self, head: bytes, source: Hop) -> None: ...
    def from_line(self, data: bytes, host: str, port: int) -> None: ...
    def may_connect(self, host: str) -> bool: ...
    def is_in_use(self, peer: Hop) -> bool: ...
    def broken_stream(self, source: Hop, kind: str) -> None: ...


class _Outer(protocol.DatagramProtocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        guarded(self._listener.from_network, datagram, Hop("udp", addr[0], addr[1]))


class _Inner(protocol.DatagramProtocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        guarded(self._listener.from_line, datagram, addr[0], addr[1])


class Stream(protocol.Protocol):
    """One TCP connection: cuts the stream into messages by Content-Length."""

    transport: Any  # of the reactor's, whose interfaces mypy cannot see through

    def __init__(self, sockets: Sockets, peer: Hop, *, is_ours: bool = False) -> None:
        """`is_ours` if we connected to the peer."""
        self._sockets, self.peer, self.is_ours = sockets, peer, is_ours
        self.used_at_s = float(sockets.reactor.seconds())  # when the last whole message came
        self._buffer = bytearray()
        self._left_to_skip = 0  # of a message that was too long
        self._timer: DelayedCall | None = None

    def connectionMade(self) -> None:
        self._sockets.opened(self)
        self._wait(IDLE_S)

    def dataReceived(self, data: bytes) -> None:
        was_whole = not self._buffer
        self._buffer += data
        try:
            while (frame := self._next_frame()) is not None:
                was_whole = True
                self.used_at_s = float(self._sockets.reactor.seconds())
                guarded(self._sockets.listener.from_network, frame, self.peer)
        except BadMessage:
            # where this message ends nobody knows: it is refused, and the stream with it
            head = bytes(self._buffer).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            guarded(self._sockets.listener.from_network, head, self.peer)
            self._close("bad_message")
        except OverflowError:
            self._close("oversize")
        else:
            # while a message is in pieces the timer runs on from its first byte: dripping does not keep a stream open
            if was_whole or not self._buffer:
                self._wait(PARTIAL_MESSAGE_S if self._buffer else IDLE_S)

    def _next_frame(self) -> bytes | None:
        """Return the next whole message; one that is too long is refused and skipped, and its stream lives on."""
        while True:
            skipped = min(self._left_to_skip, len(self._buffer))
            del self._buffer[:skipped]
            self._left_to_skip -= skipped
            self._skip_keepalives()
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > LONGEST_HEAD:
                    raise OverflowError
                return None
            whole = end + 4 + content_length(bytes(self._buffer[: end + 2]))
            if whole <= self._sockets.max_bytes:
                break
            if whole > LONGEST_SKIPPED:
                raise OverflowError
            guarded(self._sockets.listener.oversize, bytes(self._buffer[: end + 4]), self.peer)
            self._left_to_skip = whole
        if len(self._buffer) < whole:
            return None
        frame = bytes(self._buffer[:whole])
        del self._buffer[:whole]
        return frame

    def _skip_keepalives(self) -> None:
        blank = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        if blank:
            if self._buffer[:blank] == b"\r\n\r\n":
                self.send(b"\r\n")  # RFC 5626 4.4.1: a double CRLF asks for one back
            del self._buffer[:blank]

    def send(self, data: bytes) -> None:
        """Write `data` to the peer."""
        if self.transport is not None:
            self.transport.write(data)

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self._stop_timer()
        self._sockets.closed(self)

    def give_way(self) -> None:
        """Close, since somebody else needs the place more than this peer, who says nothing."""
        self._stop_timer()
        self._close("stream_displaced")
        self._sockets.closed(self)

    def _close(self, kind: str) -> None:
        self._buffer.clear()
        guarded(self._sockets.listener.broken_stream, self.peer, kind)
        self._abort()

    def _abort(self) -> None:
        self._stop_timer()
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            abort()

    def _wait(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._sockets.reactor.callLater(seconds, self._abort)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


class _Factory(protocol.Factory):
    noisy = False

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    def buildProtocol(self, addr: IAddress | Any) -> Stream | None:
        if not self._sockets.listener.may_connect(addr.host) or not self._sockets.has_room_for(addr.host):
            return None
        return Stream(self._sockets, Hop("tcp", addr.host, addr.port))


class _Caller(protocol.ClientFactory):
    """Connects to one peer; what is to be sent meanwhile waits here."""

    noisy = False

    def __init__(self, sockets: Sockets, hop: Hop) -> None:
        self._sockets, self._hop = sockets, hop
        self.waiting: list[tuple[bytes, Callable[[], None]]] = []

    def buildProtocol(self, addr: IAddress | Any) -> Stream:
        return Stream(self._sockets, self._hop, is_ours=True)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._sockets.calling.pop(self._hop, None)
        for _, on_failure in self.waiting:
            guarded(on_failure)


class Sockets:
    """All sockets of the door, and where to send what."""

    def __init__(
        self, reactor: Any, listener: Listener, max_bytes: int, per_source: int = MAX_CONNECTIONS
    ) -> None:
        """`per_source` is how many connections one address may hold."""
        self.reactor, self.listener, self.max_bytes, self._per_source = reactor, listener, max_bytes, per_source
        self.streams: dict[Hop, Stream] = {}
        self.calling: dict[Hop, _Caller] = {}
        self.outer_port = self.inner_port = 0
        self._outer = _Outer(listener)
        self._inner = _Inner(listener)
        self._ports: list[Any] = []
        self._leaves_from: tuple[str, int] | None = None  # a trunk knows us by the address it was told

    def listen(self, host: str, port: int, inner_port: int) -> None:
        """Open the sockets; CannotListenError if an address is taken. Port 0 takes one that is free for UDP and TCP."""
        longest = LONGEST_HEAD  # of UDP there is nothing longer
        self._leaves_from = (host, 0) if host not in ("0.0.0.0", "::") else None
        for attempt in range(10):
            try:
                udp = self.reactor.listenUDP(port, self._outer, interface=host, maxPacketSize=longest)
                self._ports.append(udp)
                self.outer_port = udp.getHost().port
                self._ports.append(self.reactor.listenTCP(self.outer_port, _Factory(self), interface=host))
                break
            except Exception:
                for stop in self.close():
                    stop()
                if port or attempt == 9:
                    raise
        inner = self.reactor.listenUDP(inner_port, self._inner, interface="127.0.0.1", maxPacketSize=longest)
        self._ports.append(inner)
        self.inner_port = inner.getHost().port
        for port_object in (udp, inner):
            _widen(port_object)

    def close(self) -> list[Callable[[], Any]]:
        """Close the streams; returns what closes each port (it may return a Deferred)."""
        for stream in list(self.streams.values()):
            if stream.transport is not None:
                stream.transport.loseConnection()
        ports, self._ports = self._ports, []
        return [port.stopListening for port in ports]

    def send(self, data: bytes, hop: Hop, on_failure: Callable[[], None] = lambda: None) -> None:
        """Send `data` to a numeric hop; `on_failure` is called when it is known not to arrive."""
        if hop.transport == "udp":
            self._datagram(self._outer, data, hop.host, hop.port, on_failure)
        elif (stream := self.streams.get(hop)) is not None:
            stream.send(data)
        elif (caller := self.calling.get(hop)) is not None:
            if len(caller.waiting) < 64:
                caller.waiting.append((data, on_failure))
        elif self.has_room_for(hop.host):
            caller = self.calling[hop] = _Caller(self, hop)
            caller.waiting.append((data, on_failure))
            self.reactor.connectTCP(hop.host, hop.port, caller, timeout=CONNECT_S, bindAddress=self._leaves_from)
        else:
            on_failure()

    def has_room_for(self, host: str) -> bool:
        """Whether one more connection of `host` is taken; the idlest gives way to it, never one that is in use.

        Of a host that holds as many as it may, that is one of its own; when all places are taken, one of the host that
        holds most: so no host locks out another.
        """
        own = [stream for stream in self.streams.values() if stream.peer.host == host]
        if len(own) >= self._per_source and not self._one_gives_way(own):
            return False
        if len(self.streams) + len(self.calling) < MAX_CONNECTIONS:
            return True
        held = Counter(stream.peer.host for stream in self.streams.values())
        for greedy, count in held.most_common():
            if count <= held[host]:
                break  # nobody has more than who asks: it must do with what it has
            if self._one_gives_way([stream for stream in self.streams.values() if stream.peer.host == greedy]):
                return True
        return False

    def _one_gives_way(self, streams: list[Stream]) -> bool:
        """Close the idlest of some connections that is not in use; False if all are."""
        for stream in sorted(streams, key=lambda one: one.used_at_s):
            if not stream.is_ours and not self.listener.is_in_use(stream.peer):
                stream.give_way()
                return True
        return False

    def send_to_line(self, data: bytes, port: int) -> None:
        """Send `data` to the line on this loopback port."""
        self._datagram(self._inner, data, "127.0.0.1", port, lambda: None)

    def opened(self, stream: Stream) -> None:
        """Note a connection that is up, and send what waited for it."""
        self.streams[stream.peer] = stream
        caller = self.calling.pop(stream.peer, None)
        for data, _ in caller.waiting if caller else ():
            stream.send(data)

    def closed(self, stream: Stream) -> None:
        """Forget a connection."""
        if self.streams.get(stream.peer) is stream:
            del self.streams[stream.peer]

    def _datagram(self, via: Any, data: bytes, host: str, port: int, on_failure: Callable[[], None]) -> None:
        try:
            via.transport.write(data, (host, port))
        except Exception as wrong:  # no route, too long, no such address: all mean the same to the sender
            log.warning("datagram_not_sent", host=host, port=port, error=str(wrong))
            guarded(on_failure)


def guarded(call: Callable[..., None], *args: Any) -> None:
    """Call; whatever is raised is logged and goes no further: bad input must not stop a socket."""
    try:
        call(*args)
    except Exception:
        log.exception("message_failed")


def is_numeric(host: str) -> bool:
    """Tell whether `host` is an IP address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _widen(port: Any) -> None:
    """Ask for a larger receive buffer: a burst of calls must not overflow it."""
    handle = getattr(port, "socket", None)
    if handle is not None:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
