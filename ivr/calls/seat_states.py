"""Which seats are offered calls: ready, away, or busy writing up the last call; with the reason and since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from callback_scheduler.orders.actor import SERVICE


class SeatState(Enum):
    """What a seat has said of itself, or what was found out."""

    READY = "ready"  # offered calls
    AWAY = "away"  # offered none until it is ready again
    WRAP_UP = "wrap_up"  # writes up its last call; ready again by itself after a while


class NotOffered(Enum):
    """Why a seat is offered no call: the keys of sentences."""

    IN_CALL = "seat.not_offered.in_call"
    RINGING = "seat.not_offered.ringing"
    AWAY = "seat.not_offered.away"
    CALLS_NOT_ANSWERED = "seat.not_offered.calls_not_answered"
    WRAP_UP = "seat.not_offered.wrap_up"


@dataclass(frozen=True)
class SeatStatus:
    """The state of a seat, who set it when, the key of the reason ("" while ready), and what was typed with it."""

    state: SeatState = SeatState.READY
    reason: str = ""
    why: str = ""
    who: str = ""
    since: datetime | None = None


_READY = SeatStatus()


class SeatStates:
    """The states of all seats, by number; `on_change` hears of each change."""

    def __init__(self) -> None:
        self._status: dict[str, SeatStatus] = {}
        self._missed: dict[str, int] = {}
        self.on_change: Callable[[str, SeatStatus], None] = lambda number, status: None

    def of(self, number: str) -> SeatStatus:
        """Return the state of a seat; one that never said anything is ready."""
        return self._status.get(number, _READY)

    def is_offered(self, number: str) -> bool:
        """Whether a seat is offered calls, as far as its state goes."""
        return self.of(number).state is SeatState.READY

    def is_away(self, number: str) -> bool:
        """Whether it is not worth while to wait for a seat."""
        return self.of(number).state is SeatState.AWAY

    def restore(self, number: str, status: SeatStatus) -> None:
        """Take a state of before the node was started."""
        self._status[number] = status

    def set(self, number: str, status: SeatStatus) -> None:
        """Change the state of a seat, and tell of it."""
        self._status[number] = status
        self._missed.pop(number, None)
        self.on_change(number, status)

    # -- calls offered to it --------------------------------------------------------------------------------------

    def note_answered(self, number: str) -> None:
        """The seat has answered a call."""
        self._missed.pop(number, None)

    def note_missed(self, number: str, most: int, at: datetime) -> None:
        """The seat has not answered a call: after `most` in a row (0: never) it is away."""
        missed = self._missed[number] = self._missed.get(number, 0) + 1
        if most and missed >= most and self.is_offered(number):
            reason = NotOffered.CALLS_NOT_ANSWERED.value
            self.set(number, SeatStatus(SeatState.AWAY, reason, f"连续{missed}次未接听", str(SERVICE), at))
