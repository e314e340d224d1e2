"""What a call needs of the line it runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ivr.line import messages


class Slot(Protocol):
    """A conversation's place on a line; see `pool.slot.LineSlot`."""

    listener: Callable[[messages.Event], None] | None

    @property
    def legs_free(self) -> int: ...
    def new_leg(self) -> int: ...
    def send(self, command: messages.Command) -> None: ...
    def release(self) -> None: ...
