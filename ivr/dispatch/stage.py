"""Where a call is, as people on the wall understand it: the step of its flow, or who talks and who rings."""

from __future__ import annotations

from enum import Enum

from ivr.calls.call import Call
from ivr.calls.cdr import PartyRole
from ivr.calls.steps import CallStep


class Stage(Enum):
    """A place in a call; the values are the keys of its words on the pages."""

    OFFERED = "offered"  # no step has been taken yet
    # -- steps of a flow --
    GREETING = "greeting"
    MENU = "menu"
    NUMBER = "number"
    MESSAGE = "message"
    AFTER_HOURS = "after_hours"
    ORDER = "order"
    OWN_ORDER = "own_order"
    RINGS_AGAIN = "rings_again"
    SURVEY = "survey"
    ELSEWHERE = "elsewhere"
    MISSED = "missed"
    ALONE = "alone"
    # -- who talks, and who rings --
    WAITS_FOR_SEAT = "waits_for_seat"
    RINGS_SEAT = "rings_seat"
    WITH_SEAT = "with_seat"
    SEAT_RINGS_SPECIALIST = "seat_rings_specialist"
    THREE_WAY = "three_way"
    HELD = "held"
    WITH_SPECIALIST = "with_specialist"
    RINGS_SPECIALIST = "rings_specialist"
    # -- steps of a flow, again --
    SPECIALIST = "specialist"
    SEAT = "seat"
    TALK = "talk"
    SPECIALIST_DIALS_IN = "specialist_dials_in"
    UNIT = "unit"
    UNIT_DECIDES = "unit_decides"  # somebody at the unit has answered, and has pressed no key yet
    ENTERPRISE = "enterprise"
    LEADER = "leader"
    NUMBER_CHECK = "number_check"


def stage_of(call: Call) -> Stage:
    """Return where a call is: the step of its flow, or who talks and who rings."""
    talks = {leg.role for leg in call.joined}
    rings = {leg.role for leg in call.legs.values() if not leg.is_gone and leg not in call.joined}
    if PartyRole.SEAT in talks or PartyRole.SPECIALIST in talks:
        return _talk(call, talks, rings)
    step = next((step for step in reversed(call.record.steps) if not step.is_of_seat), None)
    if step is None:
        return Stage.OFFERED
    if step is CallStep.SEAT:
        return Stage.RINGS_SEAT if PartyRole.SEAT in rings else Stage.WAITS_FOR_SEAT
    if step is CallStep.SPECIALIST:
        return Stage.RINGS_SPECIALIST
    if step is CallStep.UNIT and any(leg.role is PartyRole.SPECIALIST and leg.is_up for leg in call.legs.values()):
        return Stage.UNIT_DECIDES
    return stage_of_step(step)


def stage_of_step(step: CallStep) -> Stage:
    """Return the stage that is nothing but a step of a flow."""
    return Stage(step.value.replace(" ", "_"))


def _talk(call: Call, talks: set[PartyRole], rings: set[PartyRole]) -> Stage:
    if call.seat_talk is not None and call.seat_talk.is_held:
        return Stage.HELD
    if talks >= {PartyRole.SEAT, PartyRole.SPECIALIST}:
        return Stage.THREE_WAY
    if PartyRole.SEAT in talks:
        return Stage.SEAT_RINGS_SPECIALIST if PartyRole.SPECIALIST in rings else Stage.WITH_SEAT
    return Stage.WITH_SPECIALIST
