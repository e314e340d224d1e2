"""The promises of a call: what a flow or the runner writes into the ledger, stored before anyone is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from callback_scheduler.errors import SchedulerError, StoreUnavailable
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor, ActorRole
from callback_scheduler.orders.order import OpenedOrder, Order, OrderDraft, OrderKind
from callback_scheduler.timetable.may_dial import DialFor, DialPast, DialRefusal
from ivr.calls.attempts import Attempts
from ivr.calls.call import Call
from ivr.calls.errors import NoNumber
from ivr.calls.office import Office
from ivr.calls.request import Request
from ivr.calls.suspicion import Suspicion
from ivr.calls.tallies import Tallies, Tally
from routing.phone_numbers import could_be_found_by, identifies, is_same_number

log = structlog.get_logger()

_CALLER = Actor(ActorRole.CALLER)


class Orders:
    """Writes calls and their orders; every method returns when it is on disk."""

    def __init__(self, ledger: Ledger, office: Office) -> None:
        self._ledger = ledger
        self._office = office
        self.attempts = Attempts(ledger, office.settings.ladder)
        self.tallies = Tallies()
        self._suspicion = Suspicion(ledger, office, self.tallies)

    async def note_offered(self, call: Call) -> None:
        """Store that a call has come in, before it is answered."""
        record = call.record
        payload = {
            "call_id": record.call_id,
            "sip_call_id": record.sip_call_id,
            "caller": record.caller_number,
            "called": record.called_number,
            "offered_at": record.offered_at.isoformat(),
            "was_closed": call.request.was_closed,
            "direction": record.direction.value,
            "attempt_id": record.attempt_id,
        }
        await self._ledger.write("call_offered", payload, record.offered_at)

    async def note_request(self, call: Call) -> None:
        """Store what the caller has asked for so far, so that a dead node does not forget it."""
        payload = {"call_id": call.call_id, **call.request.as_payload()}
        await self._ledger.write("request_noted", payload, call.clock.now())

    async def note_survey(self, call: Call, level: int, is_solved: bool | None, order_id: str = "") -> None:
        """Store a rating of 1 to 5 (0 = none given) and whether the matter is solved, apart from the call's record.

        After the callback of an order, that is `order_id`, the order keeps it too.
        """
        payload = {
            "call_id": call.call_id,
            "level": level,
            "is_solved": is_solved,
            "matter_id": call.request.matter_id,
            "unit_id": call.request.unit_id,
            "order_id": order_id,
        }
        await self._ledger.write("survey_answered", payload, call.clock.now())
        if order_id:
            await self.note(order_id, "surveyed", {"survey_level": level, "is_solved": is_solved}, call.clock.now())

    async def note_ended(self, call: Call) -> None:
        """Store the record of a call that is over."""
        await self._ledger.write("call_ended", call.record.as_payload(), call.clock.now())

    async def note(self, order_id: str, note: str, changes: Mapping[str, Any], at: datetime) -> bool:
        """Store what a caller says about their order; False if it cannot be stored now."""
        try:
            await self._ledger.orders.note_order(order_id, note, who=str(_CALLER), changes=changes, at=at)
        except SchedulerError as wrong:
            log.warning("order_not_noted", order_id=order_id, note=note, error=str(wrong))
            return False
        return True

    async def find(self, order_id: str) -> Order | None:
        """Return the order of a number; None if there is none, or Redis is away."""
        try:
            return await self._ledger.orders.order(order_id)
        except StoreUnavailable as away:
            log.warning("order_not_read", order_id=order_id, error=str(away))
            return None

    async def owed_to(self, number: str) -> Order | None:
        """Return the open order of a number that is due first; None if there is none, or Redis is away."""
        if not identifies(number):
            return None
        try:
            owed = await self._ledger.orders.open_orders_of(self.allowed(number) or number)
        except StoreUnavailable as away:
            log.warning("orders_not_read", error=str(away))
            return None
        return min(owed, key=lambda order: order.due_at, default=None)

    async def may_dial_in(self, order: Order) -> DialRefusal | None:
        """Return why a specialist who rang in may not be connected with the enterprise of an order now."""
        owed: list[Order] = []
        try:
            owed = await self._ledger.orders.open_orders_of(order.callback_number)
        except StoreUnavailable as away:
            log.warning("orders_not_read", error=str(away))  # what is known of this order decides
        past = DialPast(order=order, of_number=owed)
        return self._office.may_dial_now(order.unit_id, order.callback_number, DialFor.DIAL_IN, past)

    def number_of(self, call: Call) -> str | None:
        """Return the number to ring back: the one confirmed, else the caller's own if it may be dialled."""
        return call.request.callback_number or self.own_number(call.request)

    def own_number(self, request: Request) -> str | None:
        """Return the number of the phone that a request came from, if it may be dialled."""
        return self.allowed(request.caller_number) or self.allowed(request.offered_number)

    def allowed(self, number: str) -> str | None:
        """Return `number` as it may be rung back, or None; see `phone_numbers.dialable`."""
        return self._office.dial_rules.callback(number)

    async def open(self, call: Call, kind: OrderKind, hold: str = "") -> OpenedOrder:
        """Open the order of what the caller asked for, or add to their open one; NoNumber if there is nothing to keep.

        An order whose caller left a message, or rang from a number that cannot be rung back, has no number to ring: it
        is not dialled until somebody has found one out. `hold` is why a person must look at it first, as far as the
        call tells.
        """
        opened = await self.open_request(call.request, call.call_id, kind, call.clock.now(), hold)
        call.request.is_settled = True
        call.record.order_ids.append(opened.order_id)
        call.log.info("order_opened", order_id=opened.order_id, kind=kind.value, was_merged=opened.was_merged)
        return opened

    async def open_request(
        self, request: Request, call_id: str, kind: OrderKind, at: datetime, hold: str = ""
    ) -> OpenedOrder:
        """Open the order of a request made `at`, whether its call is still there or not; NoNumber as above."""
        number = request.callback_number or self.own_number(request)
        if number is None and not (request.message_path or could_be_found_by(request.caller_number)):
            raise NoNumber("no number that may be rung back, and nothing to find one by")
        is_shown = kind is not OrderKind.ONLINE
        if number:
            hold = await self._suspicion.of_order(request.caller_number, number, at, is_shown=is_shown) or hold
        matter = self._office.general_matter
        if request.matter_id:
            matter = self._office.directory.matter(request.matter_id)
        draft = OrderDraft(
            call_id=call_id,
            kind=kind,
            opened_at=at,
            caller_number=request.caller_number,
            callback_number=number or "",
            matter_id=matter.matter_id,
            unit_id=self._office.directory.unit_of(matter).unit_id,
            company=request.company,
            contact=request.contact,
            key_path=request.key_path,
            message_path=request.message_path,
            deadline=self._office.deadline(
                at, missed_in_hours=not request.was_closed, is_online=kind is OrderKind.ONLINE
            ),
            hold_reason=hold,
        )
        opened = await self._ledger.open_order(draft)
        rings_itself = number is not None and is_same_number(request.caller_number, number)
        if opened.was_merged and is_shown and not hold and rings_itself:
            await self._release(opened.order_id, at)
        return opened

    async def _release(self, order_id: str, at: datetime) -> None:
        """Let an order be dialled that waited for a person: its own number has rung now."""
        order = await self.find(order_id)
        if order is not None and order.hold_reason:
            await self.note(order_id, "released", {"hold_reason": ""}, at)

    def may_change_number(self, call: Call) -> bool:
        """Whether a caller has not changed numbers of orders too often within the hour."""
        most = self._office.settings.bounds.caller.number_changes_per_hour
        return not self.tallies.is_full(Tally.NUMBER_CHANGE, call.request.caller_number, most, call.clock.now())

    async def change_number(self, call: Call, order: Order, number: str) -> bool:
        """Store another number to ring for an order; False if it cannot be stored now.

        Whether it must be looked at first is found out anew: another's number is, beyond so many an hour.
        """
        caller, at = call.request.caller_number, call.clock.now()
        self.tallies.note(Tally.NUMBER_CHANGE, caller, at)
        hold = await self._suspicion.of_order(caller, number, at)
        changes = {"callback_number": number, "hold_reason": hold}
        return await self.note(order.order_id, "number_changed", changes, at)
