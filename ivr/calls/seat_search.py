"""One search for a seat that answers: free seats ring one after the other, overlapping, and the first one wins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

from ivr.calls.call import Call
from ivr.calls.cdr import PartyRole
from ivr.calls.errors import CallError, LegGone
from ivr.calls.leg import Leg
from routing.directory import Seat

OTHER_ANSWERED, SEAT_AWAY = "answered by another", "the seat is away"
_NO_TIME_LEFT_S = 0.05


class SeatSearch:
    """Rings seats for `seat_wait_s` in all: the one idle longest first, and another one each `next_seat_after_s`.

    The next one is rung at once when nobody rings any more: the phone has refused, or its seat has gone away. `result`
    fires with the leg of the seat that answered and was greeted, with None if none did, or fails with CallEnded.
    `missed` is told of each that refused or let it ring; who was beaten by a colleague is none of them.
    """

    def __init__(
        self, call: Call, seats: Iterable[Seat], *, greet: Callable[[Leg], Awaitable[None]],
        missed: Callable[[Call, Leg], None],
    ) -> None:  # fmt: skip
        self._call, self._seats, self._greet, self._missed = call, tuple(seats), greet, missed
        self._ringing: dict[Leg, Seat] = {}
        self._refused = call.silent_numbers()
        self._winner: Leg | None = None
        self._last_rung_s = float("-inf")
        self._ends_s = 0.0
        self._end: Any = None
        self._next: Any = None
        self._freed: Deferred[None] | None = None
        self._is_over = False
        self.result: Deferred[Leg | None] = call.wait()
        self.result.addErrback(self._call_over)

    def start(self) -> None:
        """Ring the first seat."""
        if self._is_over:
            return
        wait_s = self._call.manners.seat_wait_s
        self._ends_s = self._call.reactor.seconds() + wait_s
        self._end = self._call.reactor.callLater(wait_s, self._go_on)
        self._go_on()

    def _go_on(self) -> None:
        """Look at who rings, who is free and what time it is, and do what follows."""
        if self._is_over or self._winner is not None:
            return
        for leg in [leg for leg, seat in self._ringing.items() if self._is_away(seat)]:
            del self._ringing[leg]
            leg.hangup(SEAT_AWAY)
        left_s = self._ends_s - self._call.reactor.seconds()
        if left_s <= _NO_TIME_LEFT_S:
            if not self._ringing:
                self._finish(None)
            return  # those that ring are over in this moment, too
        if not self._ringing or self._since_last_s() >= self._call.manners.next_seat_after_s:
            self._ring_next(left_s)
        if not self._ringing and all(seat.number in self._refused or self._is_away(seat) for seat in self._seats):
            self._finish(None)
            return
        self._look_again_later()

    def _since_last_s(self) -> float:
        return float(self._call.reactor.seconds() - self._last_rung_s)

    def _is_away(self, seat: Seat) -> bool:
        return self._call.presence.seats.is_away(seat.number)

    def _ring_next(self, left_s: float) -> None:
        call = self._call
        # one whose phone has just refused is free again before that is known here
        tried = self._refused | {seat.number for seat in self._ringing.values()}
        free = [seat for seat in call.presence.free_seats(self._seats) if seat.number not in tried]
        if not free or call.slot.legs_free < 1:
            return
        seat = free[0]
        leg = call.ring(seat.number, PartyRole.SEAT, seat.name)
        self._ringing[leg] = seat
        self._last_rung_s = call.reactor.seconds()
        task: Deferred[None] = ensureDeferred(self._until_answered(leg, seat, left_s))
        task.addErrback(self._ringing_failed)
        task.addBoth(lambda _: self._go_on())

    def _look_again_later(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        wait_s = self._call.manners.next_seat_after_s - self._since_last_s()
        self._next = self._call.reactor.callLater(wait_s, self._go_on) if self._ringing and wait_s > 0 else None
        if self._freed is None:
            freed = self._freed = Deferred()
            freed.addCallback(self._somebody_changed)
            self._call.presence.when_freed(freed)

    def _somebody_changed(self, _: None) -> None:
        self._freed = None
        self._go_on()

    async def _until_answered(self, leg: Leg, seat: Seat, left_s: float) -> None:
        try:
            await leg.answered(left_s)
            if self._is_over or self._winner is not None or leg not in self._ringing:
                leg.hangup(OTHER_ANSWERED)
                return
            self._wins(leg)
            await self._greet(leg)
        except LegGone:
            self._lost(leg, seat)
            return
        if not self._is_over:
            self._call.presence.seats.note_answered(seat.number)
            leg.record.accepted_at = self._call.clock.now()
            self._finish(leg)

    def _ringing_failed(self, failure: Any) -> None:
        failure.trap(CallError)

    def _wins(self, leg: Leg) -> None:
        del self._ringing[leg]
        self._winner = leg
        self._hang_up_others()

    def _lost(self, leg: Leg, seat: Seat) -> None:
        """A phone has refused, has rung to the end, or hung up while it was greeted."""
        was_rung = self._ringing.pop(leg, None) is not None
        if self._winner is leg:
            self._winner = None
            was_rung = True
        if was_rung and not self._is_over:
            self._refused.add(seat.number)
            self._missed(self._call, leg)

    def _hang_up_others(self) -> None:
        others, self._ringing = list(self._ringing), {}
        for leg in others:
            leg.hangup(OTHER_ANSWERED)

    def _finish(self, leg: Leg | None) -> None:
        self._stop()
        if not self.result.called:
            self.result.callback(leg)

    def _stop(self) -> None:
        self._is_over = True
        for timer in (self._end, self._next):
            if timer is not None and timer.active():
                timer.cancel()
        for leg in list(self._ringing):
            leg.hangup("call over")
        self._ringing.clear()

    def _call_over(self, failure: Any) -> Any:
        self._stop()
        return failure
