"""The operator's socket: one JSON request per line, one JSON answer per line, for this user only."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver

from processes.socket_address import short_address

log = structlog.get_logger()

Answerer = Callable[..., Awaitable[Any]]

class _Conversation(LineOnlyReceiver):
    transport: Any
    delimiter = b"\n"
    MAX_LENGTH = 65536

    def __init__(self, answerers: dict[str, Answerer]) -> None:
        self._answerers = answerers

    def lineReceived(self, line: bytes) -> None:
        ensureDeferred(self._answer(line))

    async def _answer(self, line: bytes) -> None:
        try:
            request = json.loads(line)
            answerer = self._answerers[request.pop("ask")]
            answer: dict[str, Any] = {"answer": await answerer(**request)}
        except Exception as wrong:  # whatever an operator's request does, the node goes on
            log.warning("control_refused", error=repr(wrong))
            answer = {"error": f"{type(wrong).__name__}: {wrong}"}
        self.transport.write(json.dumps(answer, ensure_ascii=False, default=str).encode(errors="replace") + b"\n")


class Control:
    """Serves `answerers` (name -> coroutine function of keyword arguments) on a Unix socket."""

    def __init__(self, path: Path, reactor: Any, answerers: dict[str, Answerer]) -> None:
        self._path = path
        self._reactor = reactor
        self._answerers = answerers
        self._port: Any = None

    def start(self) -> None:
        """Listen; a socket left behind by a killed node is replaced (its data folder's lock is ours by now)."""
        self._path.unlink(missing_ok=True)
        factory: Factory[_Conversation] = Factory()
        factory.protocol = partial(_Conversation, self._answerers)
        self._folder = os.open(self._path.parent, os.O_RDONLY)
        self._port = self._reactor.listenUNIX(short_address(self._path, self._folder), factory, mode=0o600)

    async def stop(self) -> None:
        """Listen no more, and take the socket away."""
        if self._port is not None:
            await self._port.stopListening()
            os.close(self._folder)
