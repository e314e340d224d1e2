"""What seats say of themselves, and what the wall shows of them."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from twisted.internet.defer import ensureDeferred

from callback_scheduler.errors import SchedulerError
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import SERVICE, Actor
from config.settings import PhoneManners
from ivr.calls.call import Call
from ivr.calls.cdr import PartyRole
from ivr.calls.office import Office
from ivr.calls.presence import Presence
from ivr.calls.refusals import Refusal, refused
from ivr.calls.seat_states import NotOffered, SeatState, SeatStatus
from node.operations.enterprise_names import NAMED, NAMED_WHY, enterprise_named
from node.operations.happenings import HappeningsFeed, Topic
from routing.clock import Clock, in_shanghai
from routing.directory import Seat
from routing.phone_numbers import masked

log = structlog.get_logger()

_LONGEST_TEXT = 2000
_AGAIN_AFTER_S = 10.0  # a wrap-up whose end could not be written
_REASONS = {SeatState.READY: "", SeatState.AWAY: NotOffered.AWAY.value, SeatState.WRAP_UP: NotOffered.WRAP_UP.value}


class SeatOperations:
    """States of seats: set by people, by a clock, or by calls not answered; in the journal before anybody is told.

    See `SeatStates` for what counts when.
    """

    def __init__(
        self, presence: Presence, *, manners: PhoneManners, office: Office, ledger: Ledger, feed: HappeningsFeed,
        clock: Clock, reactor: Any,
    ) -> None:  # fmt: skip
        self._presence, self._manners, self._office = presence, manners, office
        self._ledger, self._feed, self._clock, self._reactor = ledger, feed, clock, reactor
        self._last_call: dict[str, str] = {}
        self._wrap_up_timers: dict[str, Any] = {}
        self._is_stopping = False
        self._presence.seats.keep = self._write
        self._presence.seats.on_settled = self._settled
        self._presence.seats.on_missed = self._begin
        self._presence.on_phone = self._taken_or_freed

    async def start(self) -> None:
        """Bring back the states of before the node stopped; a wrap-up has had its time meanwhile."""
        for event in await self._ledger.history("seat_state_set"):
            told = event.payload
            status = SeatStatus(SeatState(told["state"]), told["reason"], told["why"], told["who"], event.at)
            if status.state is SeatState.WRAP_UP:
                status = SeatStatus(since=event.at)
            self._presence.seats.restore(told["number"], status)

    def stop(self) -> None:
        """Let no timer outlive the node."""
        self._is_stopping = True
        for timer in self._wrap_up_timers.values():
            if timer.active():
                timer.cancel()

    # -- what is asked of it ------------------------------------------------------------------------------------------

    def statuses(self) -> list[dict[str, Any]]:
        """Return all seats: number, name, state, the key of the reason why it is offered no call, since, call_id.

        State is ringing or talking in a call, else ready, away or wrap_up, `since` an instant in ISO 8601. `why` is
        what was typed, `next_state` what a seat in a call will be afterwards.
        """
        return [self._shown(seat) for seat in self._office.seats]

    async def set_seat_state(self, number: str, state: SeatState | str, why: str, who: Actor) -> None:
        """Offer a seat calls, or none; on disk on return. In a call, the state counts from its end on.

        If it cannot be written the seat stays what it was, and whoever asked is told so.
        """
        self._seat(number)
        try:
            wanted = SeatState(state)
        except ValueError as wrong:
            raise refused(Refusal.UNKNOWN_STATE) from wrong
        status = self._status(wanted, why.strip()[:_LONGEST_TEXT], who)
        try:
            await self._presence.seats.change(number, status)
        except SchedulerError as wrong:
            raise refused(Refusal.STATE_NOT_STORED) from wrong

    async def wrap_up(self, seat_number: str, text: str, who: Actor) -> None:
        """Store what a seat writes about the call it is in, or was in last; a seat in wrap-up is ready thereby.

        Both are on disk on return; whoever wrote is told which of them could not be written.
        """
        self._seat(seat_number)
        call = self.call_of(seat_number)
        call_id = call.call_id if call is not None else self._last_call.get(seat_number, "")
        if not call_id:
            raise refused(Refusal.NO_CALL_TO_WRAP_UP)
        if len(text) > _LONGEST_TEXT:
            raise refused(Refusal.TEXT_TOO_LONG)
        told = {"call_id": call_id, "seat_number": seat_number, "text": text.strip(), "who": str(who)}
        try:
            await self._ledger.write("wrap_up_noted", told, self._clock.now())
        except SchedulerError as wrong:
            raise refused(Refusal.TEXT_NOT_STORED) from wrong
        ready = self._status(SeatState.READY, "", who)
        try:
            await self._presence.seats.change(seat_number, ready, only_from=SeatState.WRAP_UP)
        except SchedulerError as wrong:
            raise refused(Refusal.READY_NOT_STORED) from wrong

    async def name_enterprise(self, seat_number: str, company: str, contact: str, who: Actor) -> None:
        """Keep who is calling with the call a seat is in, or was in last, and with the orders it has led to.

        On disk on return; an order that the call leads to later has it from the call.
        """
        self._seat(seat_number)
        named = enterprise_named(company, contact)
        call, at = self.call_of(seat_number), self._clock.now()
        call_id = call.call_id if call is not None else self._last_call.get(seat_number, "")
        if not call_id:
            raise refused(Refusal.NO_CALL_TO_WRAP_UP)
        if call is not None:
            for field, name in named.items():
                setattr(call.request, field, name)
        try:
            await self._ledger.write(NAMED, {"call_id": call_id, "who": str(who), **named}, at)
            if call is not None:
                await self._ledger.write("request_noted", {"call_id": call_id, **call.request.as_payload()}, at)
            for order_id in await self._orders_of(call_id, call):
                await self._ledger.orders.note_order(
                    order_id, NAMED, who=str(who), why=NAMED_WHY, changes=named, at=at
                )
        except SchedulerError as wrong:
            raise refused(Refusal.TEXT_NOT_STORED) from wrong

    async def _orders_of(self, call_id: str, call: Call | None) -> list[str]:
        if call is not None:
            return list(call.record.order_ids)
        records = await self._ledger.calls_named([call_id])
        return [order_id for record in records for order_id in record.get("order_ids", ())]

    async def wrap_ups(self, call_id: str) -> list[dict[str, Any]]:
        """Return what was written about a call, oldest first: at, seat_number, text, who."""
        return (await self.wrap_ups_of([call_id])).get(call_id, [])

    async def wrap_ups_of(self, call_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the same of several calls, by call; those about which nothing was written are left out."""
        written: dict[str, list[dict[str, Any]]] = {}
        for event in await self._ledger.history("wrap_up_noted") if call_ids else ():
            if event.payload["call_id"] in call_ids:
                written.setdefault(event.payload["call_id"], []).append({"at": event.at, **event.payload})
        return written

    # -- changes ------------------------------------------------------------------------------------------------------

    def _status(self, state: SeatState, why: str, who: Actor) -> SeatStatus:
        return SeatStatus(state, _REASONS[state], why, str(who), self._clock.now())

    async def _write(self, number: str, status: SeatStatus) -> None:
        told = {"number": number, "state": status.state.value, "reason": status.reason, "why": status.why,
                "who": status.who}  # fmt: skip
        try:
            await self._ledger.write("seat_state_set", told, status.since or self._clock.now())
        except SchedulerError as wrong:
            log.error("seat_state_not_written", seat=masked(number), state=status.state.value, error=str(wrong))
            raise
        log.info("seat_state_set", seat=masked(number), state=status.state.value, reason=status.reason, by=status.who)

    def _begin(self, number: str, status: SeatStatus, only_from: SeatState | None = None) -> None:
        """Begin a change that nobody asked for, so that nobody is answered; the wall hears of it once it is written.

        The call that brought it about goes on meanwhile. If it cannot be written, the seat is what it was.
        """

        async def change() -> None:
            with suppress(SchedulerError):  # it has been logged
                await self._presence.seats.change(number, status, only_from)

        ensureDeferred(change())

    def _settled(self, number: str, is_made: bool) -> None:
        """Let a change that is on disk be seen, and see to its end; one that is not withholds the seat no longer."""
        if is_made:
            self._time_wrap_up(number, self._manners.wrap_up_max_s)
        elif number not in self._wrap_up_timers:  # its end was not written
            self._time_wrap_up(number, _AGAIN_AFTER_S)
        self._presence.wake()
        self._tell(number)

    def _taken_or_freed(self, number: str, holder: object, is_free: bool) -> None:
        if not any(seat.number == number for seat in self._office.seats):
            return
        manners = self._manners
        self._time_wrap_up(number, manners.wrap_up_max_s)
        if isinstance(holder, Call) and any(leg.number == number and leg.accepted_at for leg in holder.record.legs):
            self._last_call[number] = holder.call_id
            if is_free and manners.wrap_up_after_call and self._presence.seats.is_offered(number):
                self._begin(number, self._status(SeatState.WRAP_UP, "", SERVICE))
                return  # the wall hears of both at once: it would show the seat ready for a moment
        self._tell(number)

    def _time_wrap_up(self, number: str, most_s: float) -> None:
        """Let a wrap-up end by itself, counted from the end of the call."""
        timer = self._wrap_up_timers.pop(number, None)
        if timer is not None and timer.active():
            timer.cancel()
        is_wrapping_up = self._presence.seats.of(number).state is SeatState.WRAP_UP
        if is_wrapping_up and self._presence.is_free(number) and not self._is_stopping:
            self._wrap_up_timers[number] = self._reactor.callLater(most_s, self._end_wrap_up, number)

    def _end_wrap_up(self, number: str) -> None:
        del self._wrap_up_timers[number]
        self._begin(number, self._status(SeatState.READY, "", SERVICE), SeatState.WRAP_UP)

    def _tell(self, number: str) -> None:
        shown = next((self._shown(seat) for seat in self._office.seats if seat.number == number), None)
        if shown is not None:
            self._feed.tell(Topic.SEAT, shown)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _shown(self, seat: Seat) -> dict[str, Any]:
        status, call = self._presence.seats.of(seat.number), self.call_of(seat.number)
        shown = {
            "number": seat.number, "name": seat.name, "state": status.state.value, "next_state": status.state.value,
            "reason": status.reason, "why": status.why, "since": _iso(status.since), "call_id": "",
        }  # fmt: skip
        if call is None:
            return shown
        leg = next(leg for leg in call.legs.values() if leg.record.number == seat.number and not leg.is_gone)
        reason = NotOffered.IN_CALL if leg.is_up else NotOffered.RINGING
        return shown | {
            "state": "talking" if leg.is_up else "ringing", "reason": reason.value, "call_id": call.call_id,
            "since": _iso(leg.record.answered_at or leg.record.started_at),
        }  # fmt: skip

    def call_of(self, number: str) -> Call | None:
        """Return the call in which a seat's phone rings or talks, as a seat."""
        holder = self._presence.holder(number)
        if not isinstance(holder, Call):
            return None
        legs = (leg for leg in holder.legs.values() if leg.record.number == number and not leg.is_gone)
        return holder if any(leg.role is PartyRole.SEAT for leg in legs) else None

    def _seat(self, number: str) -> Seat:
        found = next((seat for seat in self._office.seats if seat.number == number), None)
        if found is None:
            raise refused(Refusal.UNKNOWN_SEAT)
        return found


def _iso(at: datetime | None) -> str:
    return in_shanghai(at).isoformat() if at is not None else ""
