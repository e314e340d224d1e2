"""One search for a specialist who accepts: tiers are rung, overlapping, and the first key 1 wins."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred

from ivr.calls.call import Call
from ivr.calls.cdr import PartyRole
from ivr.calls.errors import CallEnded, CallError, NobodyAccepted
from ivr.calls.leg import Leg
from ivr.calls.seat_search import SeatSearch
from ivr.speech.prompts import Prompt
from routing.directory import Seat
from routing.matters import Matter
from routing.tiers import Specialist, Tier

ACCEPT, PASS_ON, TEN_MINUTES = "1", "2", "3"
_OF_A_PERSON = (480, 486, 600, 603)  # away, busy, busy everywhere, declined; all else is the trunk's, or ours
_NO_STATUS = (0, 408, 487)  # nobody answered, and the ringing was ended
_TIME_TO_ANSWER = timedelta(seconds=8)  # a phone that rang for less has not been left unanswered


async def _no_order_yet(leg: Leg) -> bool:
    return True


@dataclass(frozen=True)
class Offer:
    """What a specialist who answers is offered.

    `ask` speaks to their leg and returns the key they decide by, "" for none. `over` tells that the call is over
    already. `legs_kept` stay free for whom the call rings later. `promise_ends`: key 3 settles the search, too.
    `note_promise` puts key 3 on disk before he hears that it is taken; False if it cannot, and then it is no promise.
    """

    ask: Callable[[Leg], Awaitable[str]]
    over: Prompt = Prompt.CALLER_GONE
    legs_kept: int = 0
    promise_ends: bool = False
    note_promise: Callable[[Leg], Awaitable[bool]] = _no_order_yet


def waiting_caller(
    call: Call, matter: Matter, note_promise: Callable[[Leg], Awaitable[bool]] = _no_order_yet
) -> Offer:
    """Return the offer to talk with a caller who waits; `note_promise` if it is about an order that is there."""

    def ask(leg: Leg) -> Awaitable[str]:
        return leg.ask(
            Prompt.WHISPER_SPECIALIST,
            ACCEPT + PASS_ON + TEN_MINUTES,
            retries=0,
            first_digit_s=call.manners.accept_key_s,
            matter=matter.name,
        )

    return Offer(ask, note_promise=note_promise)


class Search:
    """Rings specialists tier by tier until one presses 1.

    `result` fires with that specialist's leg, or fails with NobodyAccepted, or with CallEnded when the call is over.
    A tier is begun `rings_after_s` after the first, or at once when nobody of the tiers before is left to wait for.
    Answered is not accepted: a voicemail presses no key.
    """

    def __init__(self, call: Call, tiers: Iterable[Tier], offer: Offer) -> None:
        self._call = call
        self._offer = offer
        self._tiers = deque(tiers)
        self._silent = call.silent_numbers()
        self._due: deque[Specialist] = deque()
        self._asked: dict[Leg, Deferred[None]] = {}
        self._timers: list[Any] = []
        self._is_over = False
        self._promised = False
        self._freed: Deferred[None] | None = None
        self.result: Deferred[Leg] = call.wait()
        self.result.addErrback(self._call_over)

    def start(self) -> None:
        """Ring the first tier now and the others in their time."""
        reactor, manners = self._call.reactor, self._call.manners
        self._timers = [reactor.callLater(tier.rings_after_s, self._begin_tier, tier) for tier in self._tiers]
        self._timers.append(reactor.callLater(manners.ring_all_s, self._time_is_up))
        self._go_on()

    def stop(self, reason: str) -> None:
        """End the search: the ones still ringing stop ringing, those who answered are told."""
        if self._is_over:
            return
        self._is_over = True
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        for leg, asking in list(self._asked.items()):
            self._call.take_leave(asking)
            if not leg.is_up:
                leg.hangup(reason)
            leg.fail_waits(CallEnded(reason))

    def _begin_tier(self, tier: Tier) -> None:
        if tier in self._tiers:
            self._tiers.remove(tier)
            self._due.extend(tier.specialists)
            self._go_on()

    def _time_is_up(self) -> None:
        """No more ringing; whoever has answered may still decide."""
        self._due.clear()
        self._tiers.clear()
        for leg in [leg for leg in self._asked if not leg.is_up]:
            leg.hangup("time is up")
        self._go_on()

    def _go_on(self) -> None:
        """Ring whom legs allow; begin the next tier early if nobody is left; give up when all is tried."""
        while not self._is_over:
            self._ask_who_is_free()
            if self._asked:
                return
            if self._tiers:
                self._due.extend(self._tiers.popleft().specialists)
            elif self._due:
                return  # all of them talk: one may become free before the time is up
            else:
                self._finish(NobodyAccepted(self._promised))

    def _ask_who_is_free(self) -> None:
        presence = self._call.presence
        self._due = deque(each for each in self._due if each.number not in self._silent)
        for specialist in [each for each in self._due if presence.is_free(each.number)]:
            if self._call.slot.legs_free <= self._offer.legs_kept:
                break  # a phone that has rung long enough still has its leg while it is hung up
            self._due.remove(specialist)
            self._ask(specialist)
        if self._due and self._freed is None:
            freed = self._freed = Deferred()
            freed.addCallback(self._somebody_is_free)
            presence.when_freed(freed)

    def _somebody_is_free(self, _: None) -> None:
        self._freed = None
        self._go_on()

    def _ask(self, specialist: Specialist) -> None:
        leg = self._call.ring(specialist.number, PartyRole.SPECIALIST, specialist.name)
        task: Deferred[None] = ensureDeferred(self._ask_to_accept(leg))
        self._asked[leg] = task
        task.addErrback(self._asking_failed)
        task.addBoth(lambda _: self._asking_over(leg))

    async def _ask_to_accept(self, leg: Leg) -> None:
        try:
            await leg.answered(self._call.manners.ring_s)
            key = await self._offer.ask(leg)
        except CallEnded:
            await self._say_it_is_over(leg)
            raise
        if key == ACCEPT and not self._is_over:
            leg.record.accepted_at = self._call.clock.now()
            del self._asked[leg]
            self._finish(leg)
            return
        if key == TEN_MINUTES and not await self._offer.note_promise(leg):
            key = ""
            await leg.say(Prompt.TECHNICAL_TROUBLE)
        if key == TEN_MINUTES:
            self._promised = True
            leg.record.cause = "in ten minutes"
            await leg.say(Prompt.TEN_MINUTES_NOTED)
        if key == PASS_ON:
            leg.record.cause = "passed on"
            await leg.say(Prompt.PASSED_ON)
        leg.hangup("not accepted")
        if key == TEN_MINUTES and self._offer.promise_ends and not self._is_over:
            del self._asked[leg]
            self._finish(NobodyAccepted(promised=True))

    async def _say_it_is_over(self, leg: Leg) -> None:
        """Tell one who answered in vain why, and hang up."""
        if leg.is_up:
            await leg.say(self._offer.over if self._call.is_over else Prompt.ACCEPTED_BY_OTHER)
            leg.hangup("too late")

    def _asking_failed(self, failure: Any) -> None:
        failure.trap(CallError)

    def _asking_over(self, leg: Leg) -> None:
        self._asked.pop(leg, None)
        if not self._is_over:
            self._go_on()

    def _finish(self, result: Leg | CallError) -> None:
        self.stop("accepted by another" if isinstance(result, Leg) else "nobody accepted")
        if self.result.called:
            return
        if isinstance(result, Leg):
            self.result.callback(result)
        else:
            self.result.errback(result)

    def _call_over(self, failure: Any) -> Any:
        self.stop("call over")
        return failure


async def find_specialist(call: Call, tiers: Iterable[Tier], offer: Offer) -> Leg:
    """Ring specialists and return the leg of the first who presses 1.

    Whom the call follows hears music meanwhile. NobodyAccepted if all were tried in vain.
    """
    search = Search(call, tiers, offer)
    call.entertain()
    search.start()
    return await search.result


async def ring_seat(call: Call, seats: Iterable[Seat], matter: Matter | None) -> Leg | None:
    """Ring free seats, the one idle longest first, for `seat_wait_s` in all; None if no seat answers.

    A seat's phone is the hotline's own: to answer is to accept. One that is not answered within `next_seat_after_s`
    has the next one ring beside it. While all seats talk, the call waits for one; it does not wait for those who are
    away. A seat that lets it ring too often is set away.
    """
    call.entertain()
    search = SeatSearch(call, seats, greet=lambda leg: _whisper(leg, matter), missed=_note_missed)
    search.start()
    return await search.result


def _note_missed(call: Call, leg: Leg) -> None:
    """Count a call that a seat's phone refused, or let ring long enough for somebody to come."""
    record, now = leg.record, call.clock.now()
    if record.answered_at is not None or record.started_at is None:
        return
    was_left = record.sip_status in _NO_STATUS and now - record.started_at >= _TIME_TO_ANSWER
    if record.sip_status in _OF_A_PERSON or was_left:
        call.presence.seats.note_missed(record.number, call.manners.seat_misses_most, now)


async def _whisper(seat: Leg, matter: Matter | None) -> None:
    if matter is None:
        await seat.say(Prompt.WHISPER_SEAT_PERSON, stop_on_key=True)
    else:
        await seat.say(Prompt.WHISPER_SEAT, stop_on_key=True, matter=matter.name)
