"""A matter that is not served here (涉法、涉诉、投诉): put through to its own line, or told where to ring."""

from __future__ import annotations

from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome, PartyRole
from ivr.calls.errors import LegGone
from ivr.calls.steps import CallStep
from ivr.speech.prompts import Prompt
from routing.matters import Matter


async def elsewhere(call: Call, matter: Matter) -> CallOutcome:
    """Connect the caller with the line their matter belongs to; if it does not answer, say its number."""
    call.step(CallStep.ELSEWHERE)
    call.request.is_settled = True
    assert matter.belongs_elsewhere is not None
    await call.say(Prompt.BELONGS_ELSEWHERE, name=matter.elsewhere_name)
    target = call.ring(matter.belongs_elsewhere, PartyRole.ELSEWHERE, matter.elsewhere_name)
    call.entertain()
    try:
        await target.answered(call.manners.ring_all_s)
    except LegGone:
        return await tell_elsewhere(call, matter)
    call.join(call.caller, target)
    while not target.is_gone:
        await call.happenings.next(call.caller)
    await call.say(Prompt.THANKS_GOODBYE)
    call.caller.hangup("goodbye")
    return CallOutcome.ELSEWHERE


async def tell_elsewhere(call: Call, matter: Matter) -> CallOutcome:
    """Say twice which line the matter belongs to, and its number."""
    call.request.is_settled = True
    for _ in range(2):
        await call.say(Prompt.ELSEWHERE_NUMBER, name=matter.elsewhere_name, number=_spoken_number(matter))
    call.caller.hangup("told where to ring")
    return CallOutcome.ELSEWHERE


def _spoken_number(matter: Matter) -> str:
    """Return the digits a caller would dial: the target itself, or the user part of its URI."""
    target = matter.belongs_elsewhere or ""
    return target.removeprefix("sip:").partition("@")[0]
