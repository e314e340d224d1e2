"""Host names to addresses, without ever holding up a message that needs none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from twisted.internet.defer import maybeDeferred
from twisted.python.failure import Failure

from ivr.sip.sockets import guarded, is_numeric

log = structlog.get_logger()

KEEP_S = 60.0
MAX_NAMES = 256


class Resolver:
    """Asks the reactor's resolver, once for all who wait for the same name, and keeps the answer for a minute."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._cache: dict[str, tuple[float, str]] = {}
        self._waiting: dict[str, list[Callable[[str | None], None]]] = {}

    def lookup(self, host: str, then: Callable[[str | None], None]) -> None:
        """Call `then` with the address of `host`, at once if it is numeric or known; with None if there is none."""
        if is_numeric(host):
            then(host)
            return
        cached = self._cache.get(host)
        if cached is not None and self._reactor.seconds() - cached[0] < KEEP_S:
            then(cached[1])
        elif host in self._waiting:
            self._waiting[host].append(then)
        elif len(self._waiting) >= MAX_NAMES:
            then(None)
        else:
            self._waiting[host] = [then]
            maybeDeferred(self._reactor.resolve, host).addCallbacks(
                lambda address: self._resolved(host, address), lambda failure: self._failed(host, failure)
            )

    def _resolved(self, host: str, address: str) -> None:
        if len(self._cache) >= MAX_NAMES:
            self._cache.clear()
        self._cache[host] = (self._reactor.seconds(), address)
        self._tell(host, address)

    def _failed(self, host: str, failure: Failure) -> None:
        log.warning("name_not_resolved", host=host, error=failure.getErrorMessage())
        self._tell(host, None)

    def _tell(self, host: str, address: str | None) -> None:
        for then in self._waiting.pop(host, []):
            guarded(then, address)
