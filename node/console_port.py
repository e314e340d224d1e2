"""The console as a node knows it: something handed in that starts and stops; nothing here imports it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from callback_scheduler.journal.keys import KeyName
from callback_scheduler.store.expiring_texts import ExpiringTexts
from config.settings import Settings
from node.operations.interfaces import Operations


class WebConsole(Protocol):
    """See console/site.py."""

    async def start(self) -> None:
        """Listen; OSError if the address is taken."""

    async def stop(self) -> None:
        """End every connection."""

    async def forget(self, before: datetime, kept: frozenset[KeyName]) -> None:
        """Forget what it wrote down of callers of before `before`, but for the orders `kept`; OSError."""


# of operations, a shelf for sessions, settings and reactor
OpenConsole = Callable[[Operations, ExpiringTexts, Settings, Any], WebConsole]
