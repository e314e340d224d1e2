"""Out of hours a request becomes a sub-urgent work order: matter, number, message, and a promise with a time."""

from __future__ import annotations

from callback_scheduler.orders.order import OpenedOrder, OrderKind
from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome
from ivr.calls.errors import NoNumber
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.steps import CallStep
from ivr.flows.elsewhere import tell_elsewhere
from ivr.flows.menu import choose_matter
from ivr.flows.message import leave_message
from ivr.flows.number import ask_number
from ivr.speech.prompts import Prompt


async def after_hours(call: Call, office: Office, orders: Orders) -> CallOutcome:
    """Take the request of a caller outside working hours and tell them until when the unit rings back."""
    call.step(CallStep.AFTER_HOURS)
    await orders.note_request(call)
    await call.caller.say(Prompt.CLOSED_GREETING, stop_on_key=True)
    matter = await choose_matter(call, office, orders)
    if matter is not None and matter.belongs_elsewhere:
        return await tell_elsewhere(call, matter)
    await orders.note_request(call)
    await ask_number(call, orders)
    await orders.note_request(call)
    await leave_message(call, orders)
    return await promise_callback(call, orders, OrderKind.AFTER_HOURS)


async def promise_callback(call: Call, orders: Orders, kind: OrderKind) -> CallOutcome:
    """Open the order, then say its number and deadline; without any number to ring, say how to reach us.

    What a caller left without a number is kept for a person to look at, but no time is promised.
    """
    call.step(CallStep.ORDER)
    try:
        opened = await orders.open(call, kind)
    except NoNumber:
        await call.say(Prompt.NO_NUMBER_NO_ORDER)
        call.caller.hangup("goodbye")
        return CallOutcome.ABANDONED
    if orders.number_of(call) is None:
        await call.say(Prompt.ORDER_WITHOUT_NUMBER, order_id=opened.order_id)
        call.caller.hangup("goodbye")
        return CallOutcome.ORDER
    await call.say(_promise(opened), order_id=opened.order_id, due=opened.due_at)
    # an order number and a date are worth hearing twice; more is a caller who has put the phone down
    if await call.ask(Prompt.ORDER_REPEAT_OFFER, "1", retries=0) == "1":
        await call.say(_promise(opened), order_id=opened.order_id, due=opened.due_at)
    await call.say(Prompt.THANKS_GOODBYE)
    call.caller.hangup("goodbye")
    return CallOutcome.ORDER


def _promise(opened: OpenedOrder) -> Prompt:
    if opened.was_merged:
        return Prompt.ORDER_MERGED
    return Prompt.ORDER_OPENED_PROVISIONAL if opened.is_provisional else Prompt.ORDER_OPENED
