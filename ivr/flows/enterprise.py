"""A specialist who accepted gets the enterprise: it is rung, told who is there, joined, and asked how it was."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from callback_scheduler.orders.evidence import LEAST_TALK_S
from callback_scheduler.orders.order import AttemptOutcome, Order, OrderKind
from ivr.calls.attempt import RunningAttempt, enterprise_outcome
from ivr.calls.call import Call
from ivr.calls.cdr import PartyRole
from ivr.calls.errors import LegGone
from ivr.calls.happenings import Happening
from ivr.calls.leg import Leg
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.steps import CallStep
from ivr.flows.survey import survey
from ivr.speech.prompts import Prompt

TAKES, NOT_THEIRS = "1", "2"


async def connect_enterprise(
    call: Call, office: Office, orders: Orders, running: RunningAttempt, specialist: Leg
) -> None:
    """Ring the enterprise of the order, let the two talk, and ask the enterprise for its opinion.

    Until the enterprise is on, the call follows the specialist: if they hang up, its phone stops ringing.
    """
    call.step(CallStep.ENTERPRISE)
    call.follow(specialist)
    await specialist.say(Prompt.CALLBACK_RINGING_ENTERPRISE)
    may_be_rung = office.dial_rules.callback(running.attempt.number) is not None
    if not may_be_rung or not await running.may_ring_enterprise(call, specialist):
        await _call_off(running, specialist)
        return
    call.check()
    enterprise = call.ring(running.attempt.number, PartyRole.CALLER, running.order.company)
    call.entertain()
    try:
        await enterprise.answered(call.manners.enterprise_ring_s)
        is_theirs = await _introduce(office, running.order, enterprise)
    except LegGone:
        await _say_not_reached(call, running, specialist, enterprise)
        return
    if not is_theirs:
        await _say_not_theirs(call, running, specialist, enterprise)
        return
    if not await running.is_ours():
        call.quiet()
        enterprise.hangup("called off")
        await _call_off(running, specialist)
        return
    call.check()
    call.follow(enterprise)
    await talk(call, running, specialist)
    await say_goodbye(call, orders, running.order)


async def _introduce(office: Office, order: Order, enterprise: Leg) -> bool:
    """Tell who rings and what about; False if the request is not theirs.

    Whose number another caller left hears that first, and takes the call by key 1: they may never have asked for it,
    and their voicemail presses nothing.
    """
    unit, matter = office.directory.unit(order.unit_id), office.directory.matter(order.matter_id)
    if not order.is_for_another_number or order.kind is OrderKind.ONLINE:
        await enterprise.say(Prompt.CALLBACK_INTRODUCTION, unit=unit.name, matter=matter.name)
        return True
    values: dict[str, Any] = {"unit": unit.name, "matter": matter.name}
    last_four = "".join(filter(str.isdecimal, order.caller_number))[-4:]
    question = Prompt.CALLBACK_IS_IT_YOURS_UNSHOWN
    if len(last_four) == 4:
        question, values = Prompt.CALLBACK_IS_IT_YOURS, values | {"number": last_four}
    key = await enterprise.ask(question, TAKES + NOT_THEIRS, retries=1, **values)
    if key == NOT_THEIRS:
        enterprise.record.cause = "not theirs"
        return False
    if key != TAKES:
        enterprise.hangup("no key")
        raise LegGone("no key")
    return True


async def _say_not_theirs(call: Call, running: RunningAttempt, specialist: Leg, enterprise: Leg) -> None:
    """Whoever answered never asked for this: it is on disk before they hear that they are not rung again."""
    call.quiet()
    is_noted = await running.note_not_theirs(call, specialist)
    running.came_to(AttemptOutcome.ENTERPRISE_REFUSED)
    with suppress(LegGone):
        await enterprise.say(Prompt.CALLBACK_NOT_YOURS_NOTED if is_noted else Prompt.TECHNICAL_TROUBLE)
    enterprise.hangup("not theirs")
    await specialist.say(Prompt.CALLBACK_NOT_THEIRS)
    specialist.hangup("not theirs")


async def _call_off(running: RunningAttempt, specialist: Leg) -> None:
    """Somebody else has the order by now, or nobody knows: better no call than two."""
    running.came_to(AttemptOutcome.CALLED_OFF)
    await specialist.say(Prompt.ACCEPTED_BY_OTHER)
    specialist.hangup("called off")


async def _say_not_reached(call: Call, running: RunningAttempt, specialist: Leg, enterprise: Leg) -> None:
    was_on = enterprise.record.answered_at is not None
    outcome = AttemptOutcome.TALK_TOO_SHORT if was_on else enterprise_outcome(enterprise.record)
    running.came_to(outcome)
    call.quiet()
    is_busy = outcome is AttemptOutcome.ENTERPRISE_BUSY
    await specialist.say(Prompt.CALLBACK_ENTERPRISE_BUSY if is_busy else Prompt.CALLBACK_ENTERPRISE_NO_ANSWER)
    specialist.hangup("enterprise not reached")


async def talk(call: Call, running: RunningAttempt, specialist: Leg) -> None:
    """Join caller and specialist until the specialist leaves; the evidence is stored once they have talked enough."""
    call.step(CallStep.TALK)
    running.is_joined = True
    call.join(call.caller, specialist)
    if call.manners.record_calls:
        running.recording = str(call.record_legs("talk", call.caller, specialist)[1])
    while not specialist.is_gone:
        what, _ = await call.happenings.next(call.caller)
        if what is Happening.TALKED:
            await running.note_talk(call, specialist)
    call.end_talk()


async def say_goodbye(call: Call, orders: Orders, order: Order) -> None:
    """Ask the enterprise how it was, if there was a talk, and take leave."""
    call.caller.forget_keys()  # pressed while talking, they answer no question
    if call.talked_s >= LEAST_TALK_S:
        await survey(call, orders, order.order_id)
    else:
        await call.say(Prompt.NOBODY_AVAILABLE)
    await call.say(Prompt.THANKS_GOODBYE)
    call.caller.hangup("goodbye")
