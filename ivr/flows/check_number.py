"""A number of the directory is rung to see that it rings where it should; whoever answers hears one sentence."""

from __future__ import annotations

from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome, PartyRole
from ivr.calls.errors import LegGone
from ivr.calls.steps import CallStep
from ivr.speech.prompts import Prompt


async def check_number(call: Call, name: str, number: str) -> CallOutcome:
    """Ring `number`, say what this is about, and hang up."""
    call.step(CallStep.NUMBER_CHECK)
    leg = call.ring(number, PartyRole.SPECIALIST, name)
    call.follow(leg)
    try:
        await leg.answered(call.manners.ring_s)
    except LegGone:
        return CallOutcome.NOT_REACHED
    await leg.say(Prompt.NUMBER_CHECK)
    leg.hangup("checked")
    return CallOutcome.CHECKED
