"""How a phone is rung for a call: whose number it shows, ours or that of the caller it is rung for."""

from __future__ import annotations

from typing import Protocol

from ivr.calls.cdr import CallRecord, Direction, LegRecord, PartyRole
from ivr.calls.services import CallServices
from ivr.line.messages import Ring


class CallThatRings(Protocol):
    """What is asked of a call; see `call.Call`."""

    record: CallRecord
    services: CallServices
    is_caller_hidden: bool


def ring_command(call: CallThatRings, record: LegRecord, uri: str, from_number: str) -> Ring:
    """Return the command to ring; seats and specialists are shown the number of a caller who does not hide it."""
    instead, headers = "", dict[str, str]()
    is_for_caller = call.record.direction is Direction.IN and not call.is_caller_hidden
    if is_for_caller and record.role in (PartyRole.SEAT, PartyRole.SPECIALIST):
        instead, headers = call.services.shows(call.record.caller_number)
    return Ring(record.leg_id, uri, from_number=instead or from_number, headers=headers)
