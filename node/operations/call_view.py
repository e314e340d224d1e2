"""What is to be seen of a running call: who talks, for how long, what the seat may do, what is known of the caller."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.ledger.ledger import Ledger
from ivr.calls.call import Call
from ivr.calls.cdr import PartyRole
from ivr.calls.digits import SeatCommand, SeatRequest
from ivr.calls.leg import Leg
from ivr.calls.office import Office
from ivr.calls.refusals import Refusal
from ivr.calls.seat_talk import SeatTalk
from node.operations.running_calls import RunningCalls
from node.operations.seats import SeatOperations
from routing.clock import Clock
from routing.directory import Directory
from routing.phone_numbers import identifies

log = structlog.get_logger()

_CALLS_SHOWN, _CALLS_SEARCHED = 5, 500


class CallView:
    """Shows calls that run; nothing is changed by it."""

    def __init__(
        self, running: RunningCalls, seats: SeatOperations, office: Office, ledger: Ledger, clock: Clock
    ) -> None:
        self._running, self._seats = running, seats
        self._office, self._ledger, self._clock = office, ledger, clock
        self._before: dict[str, list[dict[str, Any]]] = {}  # by running call: the earlier calls of the same caller

    async def seat_call(self, number: str) -> dict[str, Any] | None:
        """Return the call a seat is in, ringing or talking, with what it may do and what is known of the caller.

        `open_orders` and `last_calls` are None while Redis is away.
        """
        call = self._seats.call_of(number)
        if call is None:
            return None
        shown = self.call_in_hand(call)
        shown["open_orders"] = shown["last_calls"] = None
        try:
            caller = call.record.caller_number
            shown["open_orders"] = await self._ledger.orders.open_orders_of(caller) if identifies(caller) else []
            shown["last_calls"] = await self._calls_before(call)
        except StoreUnavailable as away:
            log.warning("caller_not_looked_up", call_id=call.call_id, error=str(away))
        return shown

    async def _calls_before(self, call: Call) -> list[dict[str, Any]]:
        """Return the last calls of who rings; looked up once a call, however often a page asks."""
        if call.call_id not in self._before:
            caller, calls = call.record.caller_number, await self._ledger.calls(_CALLS_SEARCHED)
            running = {each.call_id for each in self._running.all()}
            self._before = {call_id: known for call_id, known in self._before.items() if call_id in running}
            # an earlier version kept numbers as trunks wrote them
            forms = (caller, "+86" + caller.removeprefix("0")) if identifies(caller) else ()
            same = [each for each in calls if each.get("caller_number") in forms]
            self._before[call.call_id] = same[:_CALLS_SHOWN]
        return self._before[call.call_id]

    def live_call(self, call_id: str) -> dict[str, Any] | None:
        """Return what is to be seen of a call that runs; None if it is over."""
        call = self._running.named(call_id)
        return self.call_in_hand(call) if call is not None else None

    def call_in_hand(self, call: Call) -> dict[str, Any]:
        """Return what is to be seen of a running call without asking anybody."""
        record, directory, talk = call.record, self._office.directory, call.seat_talk
        return {
            "call_id": call.call_id,
            "direction": record.direction.value,
            "caller": record.caller_number,
            "called": record.called_number,
            "matter_id": record.matter_id,
            "matter": _matter_name(directory, record.matter_id),
            "unit_id": record.unit_id,
            "step": record.steps[-1].value if record.steps else "",
            "offered_at": record.offered_at.isoformat(),
            "seconds": self._seconds_since(record.offered_at),
            "talked_s": round(call.talked_s, 1),
            "is_held": talk is not None and talk.is_held,
            "parties": [self._party(call, leg) for leg in call.legs.values() if not leg.is_gone],
            "may": {command: self._why_not(talk, request) for command, request in _EVERY_REQUEST.items()},
            "supervision": call.supervision.status() if call.supervision is not None else None,
        }

    def _party(self, call: Call, leg: Leg) -> dict[str, Any]:
        record = leg.record
        is_held = call.seat_talk is not None and call.seat_talk.is_held and leg.role is PartyRole.CALLER
        state = "held" if is_held else "talking" if leg in call.joined else "answered" if leg.is_up else "ringing"
        return {
            "role": record.role.value,
            "number": record.number,
            "name": record.name,
            "state": state,
            "seconds": self._seconds_since(record.answered_at or record.started_at),
        }

    @staticmethod
    def _why_not(talk: SeatTalk | None, request: SeatRequest) -> str:
        """Return "" for what the seat may do now, else the key of the reason."""
        if talk is None:
            return str(Refusal.NOBODY_THERE.value)
        objection = talk.objection(request)
        return str(objection.reason.value) if objection is not None else ""

    def _seconds_since(self, at: datetime | None) -> float:
        return round((self._clock.now() - at).total_seconds(), 1) if at is not None else 0.0


_EVERY_REQUEST = {
    "transfer": SeatRequest(SeatCommand.BRING_IN),
    "hold": SeatRequest(SeatCommand.CONSULT),
    "drop": SeatRequest(SeatCommand.DROP),
    "leave": SeatRequest(SeatCommand.LEAVE),
}


def _matter_name(directory: Directory, matter_id: str) -> str:
    return next((matter.name for matter in directory.matters if matter.matter_id == matter_id), "")
