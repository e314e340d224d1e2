"""Who is on the phone: no number is rung twice at once, and seats take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred

from ivr.calls.seat_states import SeatStates
from routing.directory import Seat


class Presence:
    """The numbers of seats and specialists that are in a call of this node, and which seats are offered calls.

    `on_phone` hears of each number that is taken, answers or is freed, with who holds or held it.
    """

    def __init__(self) -> None:
        self.seats = SeatStates()
        self.on_phone: Callable[[str, object, bool], None] = lambda number, holder, is_free: None
        self._taken: dict[str, object] = {}
        self._last_freed: dict[str, int] = {}
        self._turn = 0
        self._waiting: list[Deferred[None]] = []

    def take(self, number: str, holder: object) -> None:
        """Note that `holder` (a call) rings or talks to `number`."""
        self._taken[number] = holder
        self.on_phone(number, holder, False)

    def answered(self, number: str, holder: object) -> None:
        """Note that `number` has answered."""
        self.on_phone(number, holder, False)

    def free(self, number: str, holder: object) -> None:
        """Note that `holder` no longer uses `number`."""
        if self._taken.get(number) is not holder:
            return
        del self._taken[number]
        self._turn += 1
        self._last_freed[number] = self._turn
        self.on_phone(number, holder, True)
        self.wake()

    def wake(self) -> None:
        """Let those look again who wait for somebody to become free."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.called:
                waiter.callback(None)

    def free_all(self, holder: object) -> None:
        """Note that `holder` is over."""
        for number in [number for number, taken_by in self._taken.items() if taken_by is holder]:
            self.free(number, holder)

    def holder(self, number: str) -> object | None:
        """Return the call a number is in; None if it is free."""
        return self._taken.get(number)

    def is_free(self, number: str) -> bool:
        return number not in self._taken

    def taken(self) -> frozenset[str]:
        """Return all numbers that are in a call of this node."""
        return frozenset(self._taken)

    def free_seats(self, seats: Iterable[Seat]) -> list[Seat]:
        """Return the seats that are free and ready, the one idle longest first."""
        free = [seat for seat in seats if self.is_free(seat.number) and self.seats.is_offered(seat.number)]
        return sorted(free, key=lambda seat: self._last_freed.get(seat.number, 0))

    def when_freed(self, waiter: Deferred[None]) -> None:
        """Fire `waiter` when any number becomes free, or a seat ready."""
        self._waiting.append(waiter)
