"""The console as a node knows it: something handed in that starts and stops; nothing here imports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from callback_scheduler.store.expiring_texts import ExpiringTexts
from config.settings import Settings
from node.operations.interfaces import Operations


class WebConsole(Protocol):
    """See console/site.py."""

    async def start(self) -> None:
        """Listen; OSError if the address is taken."""

    async def stop(self) -> None:
        """End every connection."""


# of operations, a shelf for sessions, settings and reactor
OpenConsole = Callable[[Operations, ExpiringTexts, Settings, Any], WebConsole]
