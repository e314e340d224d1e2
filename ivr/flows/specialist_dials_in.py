"""A specialist rings the hotline, keys an order number, and is connected with the enterprise."""

from __future__ import annotations

from callback_scheduler.orders.actor import Actor, ActorRole
from callback_scheduler.orders.order import Order
from callback_scheduler.timetable.may_dial import DialReason
from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome, Direction, PartyRole
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.steps import CallStep
from ivr.flows.enterprise import connect_enterprise
from ivr.speech.prompts import Prompt
from routing.directory import Unit
from routing.tiers import Specialist

_MAX_DIGITS = 16  # of an order number: 11, and more after a restore or on a day of ten thousand orders
_TRIES = 3


async def specialist_dials_in(
    call: Call, office: Office, orders: Orders, unit: Unit, person: Specialist
) -> CallOutcome | None:
    """Connect a specialist with the enterprise of an order of their unit; the number keyed counts as key 1.

    None if they key no such order: then they are a caller like any other.
    """
    call.step(CallStep.SPECIALIST_DIALS_IN)
    order = await _ask_order(call, orders, unit)
    if order is None:
        return None
    specialist = call.caller
    refusal = await orders.may_dial_in(order)
    if refusal is not None:
        is_too_often = refusal.reason is not DialReason.HOURS
        await specialist.say(Prompt.CALLBACK_ENOUGH_TODAY if is_too_often else Prompt.CALLBACK_NOT_NOW)
        specialist.hangup(refusal.reason.value)
        return CallOutcome.NOT_REACHED
    actor = Actor(ActorRole.UNIT, person.name, unit.unit_id)
    running = await orders.attempts.begin(call, order, "specialist", actor)
    if running is None:
        await specialist.say(Prompt.ACCEPTED_BY_OTHER)  # an attempt is under way, or there is nothing left to do
        specialist.hangup("taken by another")
        return CallOutcome.NOT_REACHED
    call.record.direction = Direction.DIAL_IN
    call.request.is_settled = True
    await orders.note_request(call)
    call.record.matter_id, call.record.unit_id = order.matter_id, order.unit_id
    record = specialist.record
    record.role, record.number, record.name = PartyRole.SPECIALIST, person.number, person.name
    record.accepted_at = call.clock.now()
    try:
        await connect_enterprise(call, office, orders, running, specialist)
    finally:
        await orders.attempts.settle(call, running)
    return CallOutcome.SERVED if running.is_joined else CallOutcome.NOT_REACHED


async def _ask_order(call: Call, orders: Orders, unit: Unit) -> Order | None:
    """Return the open order of the unit whose number is keyed; None after three tries, or when nothing is keyed."""
    for _ in range(_TRIES):
        keyed = await call.caller.keys(Prompt.CALLBACK_ASK_ORDER, _MAX_DIGITS)
        if not keyed:
            return None
        order = await orders.find(keyed)
        if order is None or order.unit_id != unit.unit_id or not order.state.is_open:
            await call.say(Prompt.CALLBACK_UNKNOWN_ORDER)
        elif orders.allowed(order.callback_number) is None:
            await call.say(Prompt.CALLBACK_NO_NUMBER)
        else:
            return order
    return None
