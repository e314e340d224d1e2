"""An enterprise we owe a callback rings us, in working hours: it is put through to the unit at once."""

from __future__ import annotations

from callback_scheduler.orders.actor import Actor, ActorRole
from callback_scheduler.orders.evidence import LEAST_TALK_S
from callback_scheduler.orders.order import Order
from ivr.calls.attempt import RunningAttempt, unit_outcome
from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome, TransferResult
from ivr.calls.errors import NobodyAccepted
from ivr.calls.leg import Leg
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.ringing import find_specialist, waiting_caller
from ivr.calls.steps import CallStep
from ivr.flows.enterprise import say_goodbye, talk
from ivr.flows.own_order import Wish, own_order
from ivr.speech.prompts import Prompt

OTHER_MATTER, OWN_ORDER = "0", "1"
_A_MOMENT_S = 0.3  # at once: the keys are live while the caller is told


async def rings_again(call: Call, office: Office, orders: Orders, order: Order) -> CallOutcome | None:
    """Put the caller through to the unit of their order, or let them hear and change it; None if it is about another.

    The talk settles the order as a callback would: the unit accepted, and the enterprise is on the line.
    """
    call.step(CallStep.RINGS_AGAIN)
    await call.caller.say(Prompt.CALLBACK_OPEN_ORDER, stop_on_key=True, **_named(office, order))
    key = await call.ask(
        Prompt.CALLBACK_OPEN_ORDER_KEYS, OTHER_MATTER + OWN_ORDER, retries=0, first_digit_s=_A_MOMENT_S
    )
    if key == OTHER_MATTER:
        return None
    call.request.is_settled = True  # what the call is about is an order already
    call.request.matter_id, call.request.unit_id = order.matter_id, order.unit_id
    call.record.matter_id, call.record.unit_id = order.matter_id, order.unit_id
    await orders.note_request(call)
    if key != OWN_ORDER and await _talks_to_unit(call, office, orders, order):
        return CallOutcome.SERVED
    if await own_order(call, office, orders, await orders.find(order.order_id) or order) is Wish.SOMETHING_ELSE:
        call.request.matter_id = call.request.unit_id = ""
        return None
    await call.say(Prompt.THANKS_GOODBYE)
    call.caller.hangup("goodbye")
    return CallOutcome.ORDER


def _named(office: Office, order: Order) -> dict[str, str]:
    return {"order_id": order.order_id, "unit": office.directory.unit(order.unit_id).name}


async def _talks_to_unit(call: Call, office: Office, orders: Orders, order: Order) -> bool:
    """Ring the unit for the caller and let them talk; False if nobody accepts, or the unit rings them now."""
    running = await orders.attempts.begin(call, order, "enterprise", Actor(ActorRole.CALLER))
    if running is None:
        return False
    call.record.transfer = TransferResult.ABANDONED  # until somebody accepts or all have been tried
    try:
        specialist = await _accepting(call, office, running)
        if specialist is None:
            await call.say(Prompt.NOBODY_AVAILABLE)
            return False
        await talk(call, running, specialist)
    finally:
        await orders.attempts.settle(call, running)
    was_served = call.talked_s >= LEAST_TALK_S
    if was_served:
        await say_goodbye(call, orders, running.order)
    return was_served


async def _accepting(call: Call, office: Office, running: RunningAttempt) -> Leg | None:
    order = running.order
    tiers = office.unit_tiers(order.unit_id)
    matter, rules = office.directory.matter(order.matter_id), office.settings.ladder.of(order.unit_id)

    async def note_promise(leg: Leg) -> bool:
        return await running.note_promise(call, leg, rules.ten_minutes_s)

    call.record.asked_for_person_at = call.clock.now()
    try:
        specialist = await find_specialist(call, tiers, waiting_caller(call, matter, note_promise))
    except NobodyAccepted:
        call.record.transfer = TransferResult.NOBODY
        running.came_to(unit_outcome(call.record.legs, has_tiers=bool(tiers)))
        return None
    call.record.transfer = TransferResult.ACCEPTED
    call.record.person_answered_at = call.clock.now()
    return specialist
