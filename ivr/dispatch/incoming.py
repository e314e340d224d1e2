"""Where admitted calls arrive: each gets a record and a Call, and is run to its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred

from ivr.calls.call import Call
from ivr.calls.cdr import CallRecord, Role, new_call_id
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.services import CallServices
from ivr.calls.slot import Slot
from ivr.dispatch.runner import run_call
from ivr.dispatch.stage import stage_of
from ivr.door.door import IncomingCall

log = structlog.get_logger()


class Desk:
    """The calls of this node."""

    def __init__(self, services: CallServices, office: Office, orders: Orders) -> None:
        self._services = services
        self._office = office
        self._orders = orders
        self._running: dict[str, tuple[Call, Deferred[None]]] = {}

    def on_call(self, slot: Slot, incoming: IncomingCall) -> None:
        """Take an INVITE the door has admitted to a line; returns at once."""
        at = self._services.clock.now()
        record = CallRecord(new_call_id(at), incoming.sip_call_id, incoming.caller, incoming.called, offered_at=at)
        call = Call(slot, self._services, record)
        call.log.info("call_offered", trunk=incoming.trunk, caller=masked(incoming.caller))
        running = ensureDeferred(run_call(call, self._office.as_it_is(), self._orders))
        self._running[call.call_id] = call, running
        running.addBoth(lambda _: self._running.pop(call.call_id))

    def calls(self) -> list[Call]:
        """Return the calls of this moment, oldest first."""
        return [call for call, _ in self._running.values()]

    async def stop(self) -> None:
        """Release every caller and wait until their records are written."""
        for call, _ in list(self._running.values()):
            call.release()
        await DeferredList([running for _, running in self._running.values()], consumeErrors=True)

    def status(self) -> list[dict[str, Any]]:
        """Return the calls of this moment for an operator: id, caller (masked), step, seconds."""
        return statuses(self.calls())


def statuses(calls: Iterable[Call]) -> list[dict[str, Any]]:
    """Return the status of each call; one that has given its line back is over, though its record is not written."""
    return [status_of(call) for call in calls if call.slot.listener is not None]


def status_of(call: Call) -> dict[str, Any]:
    """Return what an operator may see of a running call: no number but the caller's, masked."""
    supervision = call.supervision
    return {
        "call_id": call.call_id,
        "direction": call.record.direction.value,
        "caller": masked(call.record.caller_number),
        "step": call.record.steps[-1] if call.record.steps else "",
        "line": getattr(call.slot, "line_id", None),
        "pid": getattr(call.slot, "pid", None),
        "recording": not call.recordings.are_closed,
        "running_s": round((call.clock.now() - call.record.offered_at).total_seconds(), 1),
        "offered_at": call.record.offered_at.isoformat(),
        "stage": stage_of(call),
        "matter_id": call.record.matter_id,
        "unit_id": call.record.unit_id,
        "orders": list(call.record.order_ids),
        "people": [
            {"role": leg.role.value, "name": leg.record.name, "is_up": leg.is_up}
            for leg in call.legs.values()
            if not leg.is_gone and leg.role in (Role.SEAT, Role.SPECIALIST)
        ],
        "supervision": {name: told for name, told in supervision.status().items() if name != "number"}
        if supervision is not None
        else None,
    }


def masked(number: str) -> str:
    """Return a number as logs may show it: 138****0000, ****1 for short ones."""
    return f"{number[:3]}****{number[-4:]}" if len(number) > 7 else f"****{number[-1:]}"
