"""What a seat's desk shows: its state, the call in hand, who takes part, and what is possible now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from console.visit import Visit
from ivr.calls.refusals import Refusal

# Only these close the search: what the caller chose may belong elsewhere, and others may still be brought in.
_CLOSES_SEARCH = frozenset({Refusal.NOBODY_THERE.value, Refusal.SPECIALIST_THERE.value})


async def present(visit: Visit) -> dict[str, Any]:
    """Return all that changes on the desk, and the place in the stream of events from which it goes on."""
    assert visit.account is not None
    operations, number = visit.operations, visit.account.number
    position = visit.console.events.position
    seat = next((one for one in operations.seats.statuses() if number and one["number"] == number), None)
    call = await operations.call_view.seat_call(number) if seat is not None else None
    return {
        "position": position,
        "seat": seat,
        "call": call,
        "has_number": bool(number),
        "at": visit.speaker(),
        "matters": {matter.matter_id: matter.name for matter in operations.directory.matters},
        "units": {unit.unit_id: unit.name for unit in operations.directory.units},
        "reasons": _reasons(visit, call),
        "has_wrap_up": seat is not None and (call is not None or seat["state"] == "wrap_up"),
    }


def _reasons(visit: Visit, call: Mapping[str, Any] | None) -> dict[str, str]:
    """Return in words why each act is not possible now, "" where it is."""
    if call is None:
        return dict.fromkeys(("transfer", "hold", "drop", "leave"), visit.t("seat.no_call_yet"))
    may = dict(call["may"])
    if may["transfer"] not in _CLOSES_SEARCH:
        may["transfer"] = ""
    return {act: visit.t(f"refused.{why}") if why else "" for act, why in may.items()}
