"""督办: the leader of a unit is rung about an order and acknowledges by key 1."""

from __future__ import annotations

from callback_scheduler.orders.order import Order
from callback_scheduler.timetable.ports import Note
from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome, PartyRole
from ivr.calls.errors import LegGone
from ivr.calls.office import Office
from ivr.calls.steps import CallStep
from ivr.speech.prompts import Prompt

ACKNOWLEDGE = "1"


async def remind_leader(call: Call, office: Office, order: Order, number: str, note: Note) -> CallOutcome:
    """Ring `number` and tell what is owed, twice if need be; a voicemail hears it too, but presses no key.

    `note` keeps that it was acknowledged, before the leader is told so.
    """
    call.step(CallStep.LEADER)
    unit = office.directory.unit(order.unit_id)
    leader = call.ring(number, PartyRole.LEADER, unit.name)
    call.follow(leader)
    try:
        await leader.answered(call.manners.ring_s)
    except LegGone:
        return CallOutcome.NOT_REACHED
    key = await leader.ask(
        Prompt.CALLBACK_LEADER_REMINDER, ACKNOWLEDGE,
        retries=1, first_digit_s=call.manners.accept_key_s, unit=unit.name, order_id=order.order_id, due=order.due_at,
    )  # fmt: skip
    if key != ACKNOWLEDGE:
        leader.hangup("not acknowledged")
        return CallOutcome.NOT_REACHED
    leader.record.accepted_at = call.clock.now()
    await leader.say(Prompt.CALLBACK_LEADER_NOTED if await note() else Prompt.TECHNICAL_TROUBLE)
    leader.hangup("acknowledged")
    return CallOutcome.REMINDED
