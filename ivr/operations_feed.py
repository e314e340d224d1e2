"""What happens on the node, told at once to whoever listens: calls, seats, lines, orders, notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger()

Listener = Callable[[str, dict[str, Any]], None]
Tell = Callable[[str, dict[str, Any]], None]


def tell_nobody(kind: str, fields: dict[str, Any]) -> None:
    """Stand in where nobody listens."""


class HappeningsFeed:
    """Passes each happening (kind, fields) to every listener, in the reactor's thread and in the order of subscribing.

    Listeners return at once, and must not change `fields`. One that raises is logged: a call never notices.
    """

    def __init__(self) -> None:
        self._listeners: dict[int, Listener] = {}
        self._last = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` from now on; return what ends that, and may be called twice."""
        self._last += 1
        number = self._last
        self._listeners[number] = listener
        return lambda: self._forget(number)

    def _forget(self, number: int) -> None:
        self._listeners.pop(number, None)

    def tell(self, kind: str, fields: dict[str, Any]) -> None:
        """Tell everybody; never raises."""
        for listener in tuple(self._listeners.values()):
            try:
                listener(kind, fields)
            except Exception:
                log.exception("listener_failed", kind=kind)
