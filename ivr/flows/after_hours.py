"""Out of hours a request becomes a sub-urgent work order: matter, number, message, and a promise with a time."""

from __future__ import annotations

from callback_scheduler.order import OpenedOrder, OrderKind
from ivr.calls.call import Call
from ivr.calls.cdr import Outcome
from ivr.calls.errors import NoNumber
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.flows.elsewhere import tell_elsewhere
from ivr.flows.menu import choose_matter
from ivr.flows.message import leave_message
from ivr.speech.prompts import Prompt

# An order number and a date are worth hearing twice; more is a caller who has put the phone down.
_MAX_DIGITS = 12
_NUMBER_TRIES = 3


async def after_hours(call: Call, office: Office, orders: Orders) -> Outcome:
    """Take the request of a caller outside working hours and tell him until when the unit rings back."""
    call.step("after_hours")
    await orders.note_request(call)
    await call.caller.say(Prompt.CLOSED_GREETING, stop_on_key=True)
    matter = await choose_matter(call, office)
    if matter is not None and matter.belongs_elsewhere:
        return await tell_elsewhere(call, matter)
    await orders.note_request(call)
    await ask_number(call, orders)
    await orders.note_request(call)
    await leave_message(call, orders)
    return await promise_callback(call, orders, OrderKind.AFTER_HOURS)


async def ask_number(call: Call, orders: Orders) -> None:
    """Offer the caller's own number for the callback, else let him key one and read it back.

    After three tries that lead nowhere his own number stands, if it may be dialled.
    """
    call.step("number")
    own = orders.allowed(call.request.caller_number)
    if own is not None:
        choice = await call.ask(Prompt.ASK_NUMBER_OWN, "12", otherwise="1", number=own)
        if choice == "1":
            call.request.callback_number = own
            return
    for _ in range(_NUMBER_TRIES):
        keyed = await call.caller.keys(Prompt.ASK_NUMBER_KEYS, _MAX_DIGITS)
        number = orders.allowed(keyed)
        if number is None:
            await call.say(Prompt.NUMBER_NOT_ALLOWED)
            continue
        if await call.ask(Prompt.NUMBER_READ_BACK, "12", otherwise="1", number=number) == "1":
            call.request.callback_number = number
            return
    call.request.callback_number = own or ""
    if own:
        await call.say(Prompt.NUMBER_KEPT, number=own)


async def promise_callback(call: Call, orders: Orders, kind: OrderKind) -> Outcome:
    """Open the order, then say its number and deadline; without any number to ring, say how to reach us."""
    call.step("order")
    try:
        opened = await orders.open(call, kind)
    except NoNumber:
        await call.say(Prompt.NO_NUMBER_NO_ORDER)
        call.caller.hangup("goodbye")
        return Outcome.ABANDONED
    await call.say(_promise(opened), order_id=opened.order_id, due=opened.due_at)
    if await call.ask(Prompt.ORDER_REPEAT_OFFER, "1", retries=0) == "1":
        await call.say(_promise(opened), order_id=opened.order_id, due=opened.due_at)
    await call.say(Prompt.THANKS_GOODBYE)
    call.caller.hangup("goodbye")
    return Outcome.ORDER


def _promise(opened: OpenedOrder) -> Prompt:
    if opened.was_merged:
        return Prompt.ORDER_MERGED
    return Prompt.ORDER_OPENED_PROVISIONAL if opened.is_provisional else Prompt.ORDER_OPENED
