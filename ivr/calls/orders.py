"""The promises of a call: what a flow or the runner writes into the ledger, stored before anyone is told."""

from __future__ import annotations

from datetime import datetime

from callback_scheduler.ledger import Ledger
from callback_scheduler.order import OpenedOrder, OrderDraft, OrderKind
from ivr.calls.call import Call
from ivr.calls.digits import dialable
from ivr.calls.errors import NoNumber
from ivr.calls.office import Office
from ivr.calls.request import Request


class Orders:
    """Writes calls and their orders; every method returns when it is on disk."""

    def __init__(self, ledger: Ledger, office: Office) -> None:
        self._ledger = ledger
        self._office = office

    async def note_offered(self, call: Call) -> None:
        """Store that a call has come in, before it is answered."""
        record = call.record
        payload = {
            "call_id": record.call_id,
            "sip_call_id": record.sip_call_id,
            "caller": record.caller_number,
            "called": record.called_number,
            "was_closed": call.request.was_closed,
        }
        await self._ledger.write("call_offered", payload, record.offered_at)

    async def note_request(self, call: Call) -> None:
        """Store what the caller has asked for so far, so that a dead node does not forget it."""
        payload = {"call_id": call.call_id, **call.request.as_payload()}
        await self._ledger.write("request_noted", payload, call.clock.now())

    async def note_survey(self, call: Call, level: int, is_solved: bool | None) -> None:
        """Store a rating of 1 to 5 (0 = none given) and whether the matter is solved, apart from the call's record."""
        payload = {
            "call_id": call.call_id,
            "level": level,
            "is_solved": is_solved,
            "matter_id": call.request.matter_id,
            "unit_id": call.request.unit_id,
        }
        await self._ledger.write("survey_answered", payload, call.clock.now())

    async def note_ended(self, call: Call) -> None:
        """Store the record of a call that is over."""
        await self._ledger.write("call_ended", call.record.as_payload(), call.clock.now())

    def number_of(self, call: Call) -> str | None:
        """Return the number to ring back: the one confirmed, else the caller's own if it may be dialled."""
        return call.request.callback_number or self.allowed(call.request.caller_number)

    def allowed(self, number: str) -> str | None:
        """Return `number` as it may be rung back, or None; see `digits.dialable`."""
        settings = self._office.settings
        return dialable(number, settings.phone.number_patterns, settings.sip.own_numbers)

    async def open(self, call: Call, kind: OrderKind) -> OpenedOrder:
        """Open the order of what the caller asked for, or add to his open one; NoNumber if nobody could be rung."""
        opened = await self.open_request(call.request, call.call_id, kind, call.clock.now())
        call.request.is_settled = True
        call.record.order_ids.append(opened.order_id)
        call.log.info("order_opened", order_id=opened.order_id, kind=kind.value, was_merged=opened.was_merged)
        return opened

    async def open_request(self, request: Request, call_id: str, kind: OrderKind, at: datetime) -> OpenedOrder:
        """Open the order of a request made `at`, whether its call is still there or not; NoNumber as above."""
        number = request.callback_number or self.allowed(request.caller_number)
        if number is None:
            raise NoNumber("no number that may be rung back")
        matter = self._office.general_matter
        if request.matter_id:
            matter = self._office.directory.matter(request.matter_id)
        draft = OrderDraft(
            call_id=call_id,
            kind=kind,
            opened_at=at,
            caller_number=request.caller_number,
            callback_number=number,
            matter_id=matter.matter_id,
            unit_id=self._office.directory.unit_of(matter).unit_id,
            key_path=request.key_path,
            message_path=request.message_path,
            deadline=self._office.deadline(at, missed_in_hours=not request.was_closed),
        )
        return await self._ledger.open_order(draft)
