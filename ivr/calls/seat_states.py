"""Which seats are offered calls: ready, away, or busy writing up the last call; with the reason and since when.

A state is on disk before it is one. What a seat is said to be, to whoever set it, on the wall and after a restart, is
what was written last; a change that could not be written is none. In one thing a change counts before: a seat that
will be offered no call is offered none from the moment somebody wants that, or a call would slip in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from twisted.internet.defer import DeferredLock

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


async def _nowhere(number: str, status: SeatStatus) -> None:
    return None


class SeatStates:
    """The states of all seats, by number.

    `keep` puts a change on disk, and raises if it does not get there. `on_settled` hears of each change that was made
    (True) or was not. `on_missed` hears of a seat that is to be away, since it has let too many calls ring.
    """

    def __init__(self) -> None:
        self._status: dict[str, SeatStatus] = {}
        self._wanted: dict[str, list[SeatStatus]] = {}  # on their way to disk, oldest first
        self._turns: dict[str, DeferredLock] = {}
        self._missed: dict[str, int] = {}
        self.keep: Callable[[str, SeatStatus], Awaitable[None]] = _nowhere
        self.on_settled: Callable[[str, bool], None] = lambda number, is_made: None
        self.on_missed: Callable[[str, SeatStatus], None] = lambda number, status: None

    def of(self, number: str) -> SeatStatus:
        """Return the state of a seat; one that never said anything is ready."""
        return self._status.get(number, _READY)

    def is_offered(self, number: str) -> bool:
        """Whether a seat is offered calls, as far as its state goes, and those it is about to have."""
        return all(one.state is SeatState.READY for one in (self.of(number), *self._wanted.get(number, ())))

    def is_away(self, number: str) -> bool:
        """Whether it is not worth while to wait for a seat."""
        return self.of(number).state is SeatState.AWAY

    def restore(self, number: str, status: SeatStatus) -> None:
        """Take a state of before the node was started."""
        self._status[number] = status

    async def change(self, number: str, status: SeatStatus, only_from: SeatState | None = None) -> None:
        """Change the state of a seat: on disk first, then here; what `keep` raises leaves it as it was.

        Changes of one seat are made one after the other, in the order they were asked for. With `only_from` it is left
        alone if it is something else by then.
        """
        wanted, is_made = self._wanted.setdefault(number, []), False
        wanted.append(status)
        try:
            async with self._turns.setdefault(number, DeferredLock()):
                if only_from is None or self.of(number).state is only_from:
                    await self.keep(number, status)
                    self._status[number] = status
                    self._missed.pop(number, None)
                    is_made = True
        finally:
            wanted.remove(status)
            if not wanted:
                del self._wanted[number]
            self.on_settled(number, is_made)

    # -- calls offered to it --------------------------------------------------------------------------------------

    def note_answered(self, number: str) -> None:
        """The seat has answered a call."""
        self._missed.pop(number, None)

    def note_missed(self, number: str, most: int, at: datetime) -> None:
        """The seat has not answered a call: after `most` in a row (0: never) it is to be away."""
        missed = self._missed[number] = self._missed.get(number, 0) + 1
        if most and missed >= most and self.is_offered(number):
            reason = NotOffered.CALLS_NOT_ANSWERED.value
            self.on_missed(number, SeatStatus(SeatState.AWAY, reason, f"连续{missed}次未接听", str(SERVICE), at))
