"""The running calls as an operator may see them: no number but the caller's, masked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ivr.calls.call import Call
from ivr.calls.cdr import PartyRole
from ivr.dispatch.stage import stage_of
from routing.phone_numbers import masked


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
        "step": call.record.steps[-1].value if call.record.steps else "",
        "line": getattr(call.slot, "line_id", None),
        "pid": getattr(call.slot, "pid", None),
        "recording": not call.recordings.are_closed,
        "running_s": round((call.clock.now() - call.record.offered_at).total_seconds(), 1),
        "offered_at": call.record.offered_at.isoformat(),
        "stage": stage_of(call).value,
        "matter_id": call.record.matter_id,
        "unit_id": call.record.unit_id,
        "orders": list(call.record.order_ids),
        "people": [
            {"role": leg.role.value, "name": leg.record.name, "is_up": leg.is_up}
            for leg in call.legs.values()
            if not leg.is_gone and leg.role in (PartyRole.SEAT, PartyRole.SPECIALIST)
        ],
        "supervision": {name: value for name, value in supervision.status().items() if name != "number"}
        if supervision is not None
        else None,
    }
