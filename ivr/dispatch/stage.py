"""Where a call is, as people on the wall understand it: the step of its flow, or who talks and who rings."""

from __future__ import annotations

from ivr.calls.call import Call
from ivr.calls.cdr import PartyRole

STAGES_OF_PEOPLE = (
    "held", "three_way", "seat_rings_specialist", "with_seat", "with_specialist", "rings_seat", "waits_for_seat",
    "rings_specialist", "unit_decides",
)  # fmt: skip


def stage_of(call: Call) -> str:
    """Return the key of where a call is: one of STAGES_OF_PEOPLE, or the step of its flow with _ for spaces."""
    talks = {leg.role for leg in call.joined}
    rings = {leg.role for leg in call.legs.values() if not leg.is_gone and leg not in call.joined}
    if PartyRole.SEAT in talks or PartyRole.SPECIALIST in talks:
        return _talk(call, talks, rings)
    step = next((step for step in reversed(call.record.steps) if not step.startswith("seat ")), "offered")
    if step == "seat":
        return "rings_seat" if PartyRole.SEAT in rings else "waits_for_seat"
    if step == "specialist":
        return "rings_specialist"
    if step == "unit" and any(leg.role is PartyRole.SPECIALIST and leg.is_up for leg in call.legs.values()):
        return "unit_decides"
    return step.replace(" ", "_")


def _talk(call: Call, talks: set[PartyRole], rings: set[PartyRole]) -> str:
    if call.seat_talk is not None and call.seat_talk.is_held:
        return "held"
    if talks >= {PartyRole.SEAT, PartyRole.SPECIALIST}:
        return "three_way"
    if PartyRole.SEAT in talks:
        return "seat_rings_specialist" if PartyRole.SPECIALIST in rings else "with_seat"
    return "with_specialist"
