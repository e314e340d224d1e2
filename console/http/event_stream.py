"""An event stream over HTTP: a client of the hub, with the connection's own measure of how much it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from console.http.events import Client, Hub
from console.http.messages import Response, Stream

_TYPE = "text/event-stream; charset=utf-8"


@implementer(IPushProducer)
class _Connection:
    """What Twisted asks to pause while the browser takes no more."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self.client: Client | None = None

    def write(self, text: bytes) -> None:
        self._request.write(text)

    def close(self) -> None:
        # not finish(): a browser that reads nothing would be waited for
        self._request.channel.transport.abortConnection()

    def pauseProducing(self) -> None:
        if self.client is not None:
            self.client.pause()

    def resumeProducing(self) -> None:
        if self.client is not None:
            self.client.resume()

    def stopProducing(self) -> None:
        """The connection is gone; notifyFinish says so, too."""


def event_stream(hub: Hub, join: Callable[[Any], Client]) -> Response:
    """Return a response that goes on until the browser leaves; `join` makes the sink a client of the hub."""

    def begin(request: Any) -> None:
        request.channel.wait(None)  # the hub ends it in time
        connection = _Connection(request)
        request.registerProducer(connection, True)
        gone = request.notifyFinish()
        connection.client = join(connection)
        gone.addBoth(lambda _: hub.leave(connection.client) if connection.client else None)

    stream: Stream = begin
    return Response(content_type=_TYPE, headers=(("X-Accel-Buffering", "no"),), stream=stream)
