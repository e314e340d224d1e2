"""The calls we owe, placed: what the timetable decides becomes a call, and the call a record of what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

import structlog
from twisted.internet.task import deferLater

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Lease, Order
from callback_scheduler.timetable.ports import Note
from ivr.calls.attempt import RunningAttempt
from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome, CallRecord, Direction, LegRecord, new_call_id
from ivr.calls.errors import CallEnded, NumberRefused
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.services import CallServices
from ivr.calls.slot import Slot
from ivr.dispatch.runner import close, others_finish
from ivr.dispatch.status import statuses
from ivr.flows.callback import callback
from ivr.flows.check_number import check_number
from ivr.flows.leader import remind_leader
from routing.phone_numbers import masked

log = structlog.get_logger()

# A line is forked in a fraction of a second; one that does not come is taken by somebody else.
_LINE_WITHIN_S, _LOOK_EVERY_S = 5.0, 0.2
_STOP_WITHIN_S = 10.0


class CallbackLines(Protocol):
    """What callbacks need of the pool; see `pool.LinePool`."""

    def take(self, for_callback: bool = False) -> Slot | None: ...
    def free_for_callbacks(self) -> int: ...


class OutgoingCalls:
    """Places the calls of a node that nobody has rung in for. `lines` are those of the pool."""

    def __init__(
        self,
        services: CallServices,
        office: Office,
        orders: Orders,
        ledger: Ledger,
        lines: CallbackLines,
    ) -> None:
        self._services = services
        self._office = office
        self._orders = orders
        self._ledger = ledger
        self._lines = lines
        self._running: dict[str, Call] = {}
        self._is_stopping = False

    # -- for the timetable ----------------------------------------------------------------------------------------

    def free_lines(self) -> int:
        """Return how many callbacks may begin now without keeping live callers waiting."""
        return 0 if self._is_stopping else self._lines.free_for_callbacks()

    def phones_in_use(self) -> frozenset[str]:
        """Return the numbers that are in a call of this node, ringing or talking."""
        return self._services.presence.taken()

    async def ring_back(self, order: Order, attempt: Attempt, lease: Lease) -> Attempt:
        """Place the callback of an order under a lease and return the attempt as it ended; never raises.

        CALLED_OFF without a free line, or while the enterprise is on the phone with us anyway, or if its number is not
        one that this site rings back.
        """
        if self._office.dial_rules.callback(attempt.number) is None:
            log.error("number_refused", attempt_id=attempt.attempt_id, number=masked(attempt.number))
            return replace(attempt, outcome=AttemptOutcome.CALLED_OFF, ended_at=self._services.clock.now())
        slot = await self._line()
        at = self._services.clock.now()
        if slot is None or not self._services.presence.is_free(attempt.number):
            if slot is not None:
                slot.release()
            log.info("attempt_called_off", attempt_id=attempt.attempt_id, has_line=slot is not None)
            return replace(attempt, outcome=AttemptOutcome.CALLED_OFF, ended_at=at)
        call = self._call(slot, attempt.number, Direction.CALLBACK, order)
        call.record.attempt_id = attempt.attempt_id
        call.presence.take(attempt.number, call)
        try:
            return await self._see_through(call, RunningAttempt(self._ledger, order, attempt, lease))
        finally:
            del self._running[call.call_id]

    async def remind_leader(self, order: Order, number: str, note: Note) -> bool:
        """Ring a leader about an order; True if they acknowledge by key 1, and `note` has kept that. Never raises."""
        slot = await self._line()
        if slot is None:
            return False
        call = self._call(slot, number, Direction.REMINDER, order)
        try:
            outcome = await self._run(call, lambda: remind_leader(call, self._office.as_it_is(), order, number, note))
            # the leader may have hung up on our thanks
            has_acknowledged = any(leg.accepted_at for leg in call.record.legs)
            call.record.outcome = CallOutcome.REMINDED if has_acknowledged else outcome
            await close(call, self._orders)
        finally:
            del self._running[call.call_id]
        return has_acknowledged

    async def check_number(self, unit_id: str, name: str, number: str) -> LegRecord | None:
        """Ring a number of the directory and say a sentence to who answers; None without a free line. Never raises."""
        slot = await self._line() if self.free_lines() > 0 else None
        if slot is None:
            return None
        call = self._call(slot, number, Direction.NUMBER_CHECK)
        call.record.unit_id = unit_id
        try:
            outcome = await self._run(call, lambda: check_number(call, name, number))
            # a person who hangs up on our sentence is there all the same
            was_answered = any(leg.answered_at for leg in call.record.legs)
            call.record.outcome = CallOutcome.CHECKED if was_answered else outcome
            await close(call, self._orders)
        finally:
            del self._running[call.call_id]
        return next(iter(call.record.legs), None)

    # -- for the node ---------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """End all calls and wait until their records are written."""
        self._is_stopping = True
        for call in list(self._running.values()):
            call.release()
        reactor = self._services.reactor
        give_up_at = reactor.seconds() + _STOP_WITHIN_S
        while self._running and reactor.seconds() < give_up_at:
            await deferLater(reactor, _LOOK_EVERY_S)

    def calls(self) -> list[Call]:
        """Return the calls of this moment, oldest first."""
        return list(self._running.values())

    def status(self) -> list[dict[str, Any]]:
        """Return the calls of this moment for an operator."""
        return statuses(self._running.values())

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _line(self) -> Slot | None:
        """Return a line, waiting for one to be forked; None if there is none in time."""
        reactor = self._services.reactor
        give_up_at = reactor.seconds() + _LINE_WITHIN_S
        while not self._is_stopping:
            slot = self._lines.take(for_callback=True)
            if slot is not None or reactor.seconds() >= give_up_at:
                return slot
            await deferLater(reactor, _LOOK_EVERY_S)
        return None

    def _call(self, slot: Slot, number: str, direction: Direction, order: Order | None = None) -> Call:
        at = self._services.clock.now()
        try:
            _, shown = self._services.dial_uri(number)
        except NumberRefused:  # and its leg ends as soon as it is rung
            shown = ""
        record = CallRecord(new_call_id(at), "", shown, number, offered_at=at, direction=direction)
        call = Call(slot, self._services, record)
        if order is not None:
            record.matter_id, record.unit_id, record.order_ids = order.matter_id, order.unit_id, [order.order_id]
            call.request.matter_id, call.request.unit_id = order.matter_id, order.unit_id
        call.request.is_settled = True
        self._running[call.call_id] = call
        call.log.info("call_begun", direction=direction.value, order_ids=record.order_ids)
        return call

    async def _see_through(self, call: Call, running: RunningAttempt) -> Attempt:
        async def flow() -> CallOutcome:
            await callback(call, self._office.as_it_is(), self._orders, running)
            return CallOutcome.NOT_REACHED

        outcome = await self._run(call, flow)
        if outcome is CallOutcome.FAILED:
            running.came_to(AttemptOutcome.UNKNOWN if call.legs else AttemptOutcome.CALLED_OFF)
        attempt = running.finished(call)
        call.record.outcome = CallOutcome.SERVED if attempt.outcome is AttemptOutcome.REACHED else outcome
        await close(call, self._orders)
        return attempt

    async def _run(self, call: Call, flow: Callable[[], Awaitable[CallOutcome]]) -> CallOutcome:
        """Run a flow to whatever end, let those who are left finish, and return what it came to."""
        outcome = CallOutcome.FAILED
        try:
            await self._orders.note_offered(call)
            outcome = await flow()
        except CallEnded as end:
            call.record.cause = str(end)
            outcome = CallOutcome.LINE_LOST if call.line_lost else CallOutcome.NOT_REACHED
        except Exception:
            call.log.exception("flow_failed")
        try:
            await others_finish(call)
        except Exception:
            call.log.exception("call_close_failed")
        return outcome
