"""What a page may see of a conversation, and ask of it; see `flows.three_way.Conversation`."""

from __future__ import annotations

from typing import Protocol

from ivr.calls.digits import SeatRequest
from ivr.calls.leg import Leg
from ivr.calls.refusals import Objection


class SeatTalk(Protocol):
    """A conversation of caller, seat and specialist."""

    @property
    def seat(self) -> Leg | None: ...
    @property
    def is_held(self) -> bool: ...
    def objection(self, request: SeatRequest) -> Objection | None: ...
    def ask(self, request: SeatRequest) -> None: ...
