"""The HTTP server's patience: deadlines for slow clients, limits for large requests and many connections.

Twisted's own time-out begins anew with every byte, so that one byte a minute would hold a connection for ever. Here
every stage has a deadline of its own: the head of a request, its body, the answer, the pause before the next one.
"""

# Twisted annotates none of the methods that are extended here
# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.web import http, server
from twisted.web.resource import IResource

from config.console import ConsoleSettings
from console.errors import TooLarge
from console.http.problems import PROBLEM, problem
from console.http.routes import is_api
from console.http.security import HEADERS

# For whoever reads an answer, or a recording, slowly. Event streams have a deadline of their own.
_READS_S = 900.0
_MOST_DIGITS = 18


def _too_large(path: str) -> bytes:
    """Return the whole answer to a body that is too long: no request is made of it."""
    kind, body = "text/plain", b"Too much was sent\n"
    if is_api(path):
        kind, body = PROBLEM, problem(413, TooLarge.key, "Too much was sent.", path)
    named = (("Content-Type", kind), ("Content-Length", str(len(body))), ("Connection", "close"), *HEADERS)
    head = "".join(f"{name}: {value}\r\n" for name, value in named)
    return f"HTTP/1.1 413 Content Too Large\r\n{head}\r\n".encode() + body


class Channel(http.HTTPChannel):
    """One connection, with a deadline for each stage of a request."""

    site: Connections
    deadline: Any = None
    is_idle = False  # between two requests

    def connectionMade(self) -> None:
        """Begin to wait for the first request."""
        super().connectionMade()
        self.setTimeout(None)  # ours instead of one that each byte puts off
        self.wait(self.site.settings.head_s)

    def wait(self, seconds: float | None) -> None:
        """Give the present stage so long; None: as long as it likes."""
        if self.deadline is not None and self.deadline.active():
            self.deadline.cancel()
        reactor: Any = self.site.reactor
        self.deadline = reactor.callLater(seconds, self._too_slow) if seconds else None

    def _too_slow(self) -> None:
        self.site.too_slow += 1
        if self.transport is not None:
            self.transport.abortConnection()

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a head; with its first the deadline of the head begins."""
        if self.is_idle:
            self.is_idle = False
            self.wait(self.site.settings.head_s)
        super().lineReceived(line)

    def headerReceived(self, line: bytes) -> bool:
        """Take a line of a head; a length of so many digits that Python would not read it is no length."""
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and len(value.strip()) > _MOST_DIGITS:
            self._refuse()
            return False
        taken: bool = super().headerReceived(line)
        return taken

    def _refuse(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        self.loseConnection()

    def allHeadersReceived(self) -> None:
        """Begin to wait for the body, if there is one."""
        self.wait(self.site.settings.body_s)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Begin to answer."""
        self.wait(_READS_S)
        super().allContentReceived()

    def requestDone(self, request: http.Request) -> None:
        """Wait for the next request; what was answered must be read by then, too."""
        super().requestDone(request)
        self.is_idle = True
        self.wait(self.site.settings.idle_s)

    def connectionLost(self, reason: Any) -> None:  # type: ignore[override]
        """Stop waiting."""
        self.wait(None)
        self.site.forget(self)
        super().connectionLost(reason)


class WebRequest(server.Request):
    """A request whose body is counted while it comes."""

    channel: Any
    is_too_large = False
    received = 0

    def most_bytes(self) -> int:
        """How long the body may be: the route says, before anything of it is read."""
        site: Connections = self.channel.site
        return site.most_bytes(self._asked_path())

    def _asked_path(self) -> str:
        # what Twisted has read of the head; it becomes `uri` only when the body is complete
        return bytes(self.channel._path).partition(b"?")[0].decode("utf-8", "replace")

    def gotLength(self, length: int | None) -> None:
        """Refuse a body that says it is too long."""
        if length is not None and length > self.most_bytes():
            self._refuse()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Refuse a body that turns out to be too long."""
        self.received += len(data)
        if not self.is_too_large and self.received > self.most_bytes():
            self._refuse()
        if not self.is_too_large:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        self.is_too_large = True
        self.channel.transport.write(_too_large(self._asked_path()))
        self.channel.loseConnection()

    def setHeader(self, name: bytes, value: bytes) -> None:
        """Set a header, but do not say what software this is."""
        if name.lower() != b"server":
            super().setHeader(name, value)

    def process(self) -> None:
        """Answer, unless it was refused already."""
        if self.is_too_large:
            return
        for name, value in HEADERS:  # also where something goes wrong before the gate
            self.setHeader(name.lower().encode(), value.encode())
        try:
            unquote_to_bytes(self.path).decode()
        except UnicodeDecodeError:  # the router would answer as well, and log it as an error of ours
            self.setResponseCode(400)
            self.setHeader(b"content-type", b"text/plain")
            self.write(b"The address is not UTF-8\n")
            self.finish()
            return
        super().process()


class Connections(server.Site):
    """The factory of connections: so many at once, and so many from one address."""

    requestFactory = WebRequest
    displayTracebacks = False

    def __init__(
        self, resource: IResource, settings: ConsoleSettings, reactor: Any, most_bytes: Callable[[str], int]
    ) -> None:
        super().__init__(resource, requestFactory=WebRequest, reactor=reactor)
        self.protocol = Channel  # type: ignore[assignment,method-assign]  # HTTP/1.1 only: no TLS negotiation of HTTP/2
        self.settings, self.most_bytes = settings, most_bytes
        self.too_slow = self.refused = 0
        self._from: Counter[str] = Counter()
        self._channels: dict[Channel, str] = {}

    def buildProtocol(self, addr: Any) -> Channel | None:  # type: ignore[override]
        """Take a connection, or none more."""
        host = getattr(addr, "host", "")
        is_full = len(self._channels) >= self.settings.max_connections
        if is_full or self._from[host] >= self.settings.max_connections_per_address:
            self.refused += 1
            return None
        channel: Channel = super().buildProtocol(addr)
        self._channels[channel] = host
        self._from[host] += 1
        return channel

    def forget(self, channel: Channel) -> None:
        """Count a connection no more."""
        host = self._channels.pop(channel, None)
        if host is not None:
            self._from[host] -= 1
            if not self._from[host]:
                del self._from[host]

    def abort_all(self) -> None:
        """End every connection at once."""
        for channel in list(self._channels):
            if channel.transport is not None:
                channel.transport.abortConnection()
