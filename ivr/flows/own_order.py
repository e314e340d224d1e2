"""An enterprise asks about its own order: state and deadline, another number or time, a word more."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import Enum

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from ivr.calls.call import Call
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.steps import CallStep
from ivr.calls.tallies import Tally
from ivr.flows.message import leave_message
from ivr.flows.number import ask_number
from ivr.speech.prompts import Prompt
from routing.clock import SHANGHAI
from routing.phone_numbers import base_of, identifies, is_same_number

_MAX_DIGITS = 16  # of an order number: 11, and more after a restore or on a day of ten thousand orders
_TRIES = 3
_CHANGES = 5  # then the caller is only pressing keys
_LOOK_AHEAD_DAYS = 14  # the longest holiday has ten
_STATES = {
    OrderState.OPENED: "已登记",
    OrderState.SENT: "已派往承办单位",
    OrderState.ACKNOWLEDGED: "承办单位已签收",
    OrderState.CALLING_BACK: "正在给您回电",
    OrderState.NOT_REACHED: "回电未接通，将再次回电",
    OrderState.REACHED: "已回电",
    OrderState.SELF_REPORTED: "承办单位已登记联系",
    OrderState.RETURNED: "正在重新派单",
    OrderState.CLOSED: "已办结",
    OrderState.MERGED: "已并入其他工单",
}


class Wish(Enum):
    """What a caller wants who has heard of their order."""

    NOTHING_MORE = "nothing more"
    SOMETHING_ELSE = "something else"


async def look_up_order(call: Call, office: Office, orders: Orders) -> None:
    """Let a caller key the number of their order and see to it; returns when they want something else.

    Whoever guesses at numbers of orders is stopped, in this call and in those that follow.
    """
    call.step(CallStep.OWN_ORDER)
    caller, most = call.request.caller_number, office.settings.bounds.caller.wrong_order_numbers_per_hour
    for _ in range(_TRIES):
        if orders.tallies.is_full(Tally.WRONG_ORDER, caller, most, call.clock.now()):
            await call.say(Prompt.TOO_MANY_TRIES)
            return
        keyed = await call.caller.keys(Prompt.CALLBACK_ASK_ORDER, _MAX_DIGITS)
        if not keyed:
            return
        order = await orders.find(keyed)
        if order is not None and (_rings_from(call, order) or await _knows_number(call, order)):
            if await own_order(call, office, orders, order) is Wish.NOTHING_MORE:
                await call.say(Prompt.THANKS_GOODBYE)
                call.caller.hangup("goodbye")
                await call.wait()  # the end of the call
            return
        orders.tallies.note(Tally.WRONG_ORDER, caller, call.clock.now())
        await call.say(Prompt.CALLBACK_UNKNOWN_ORDER)


def _rings_from(call: Call, order: Order) -> bool:
    """Whether the call comes from a phone the order is about, and the trunk answers for what it shows."""
    caller, numbers = call.request.caller_number, {order.callback_number, order.caller_number}
    return call.is_caller_trusted and identifies(caller) and any(is_same_number(caller, one) for one in numbers)


async def _knows_number(call: Call, order: Order) -> bool:
    """Whether the caller knows a phone the order is about: enough to hear of it, not to change it."""
    last_four = await call.caller.keys(Prompt.CALLBACK_ASK_LAST_FOUR, 4)
    numbers = (order.callback_number, order.caller_number)
    return len(last_four) == 4 and any(base_of(number).endswith(last_four) for number in numbers)


async def own_order(call: Call, office: Office, orders: Orders, order: Order) -> Wish:
    """Tell state and deadline, and let the caller change what is theirs to change while the order is open.

    From another phone they may leave a note for the unit, and nothing else: an order's number and four digits of a
    phone are soon known to others, and would move somebody's callback.
    """
    call.request.is_settled = True  # what the call is about is an order already
    await orders.note_request(call)
    language = office.settings.prompts.language
    state = _STATES[order.state] if language == "zh" else order.state.value.replace("_", " ")
    await call.say(Prompt.CALLBACK_ORDER_STATE, order_id=order.order_id, state=state, due=order.due_at)
    is_theirs = _rings_from(call, order)
    for _ in range(_CHANGES):
        choices = ("1230" if is_theirs else "10") if order.state.is_open else "0"
        menu = Prompt.CALLBACK_ORDER_MENU if is_theirs else Prompt.CALLBACK_NOTE_MENU
        choice = await call.ask(menu, choices, retries=0)
        if choice == "1":
            await _add_message(call, orders, order)
        elif choice == "2":
            await _change_number(call, orders, order)
        elif choice == "3":
            await _prefer_time(call, office, orders, order)
        elif choice == "0":
            call.request.is_settled = False
            return Wish.SOMETHING_ELSE
        else:
            break
    return Wish.NOTHING_MORE


async def _add_message(call: Call, orders: Orders, order: Order) -> None:
    call.request.message_path = ""

    async def keep() -> bool:
        path, call.request.message_path = call.request.message_path, ""
        return await orders.note(order.order_id, "message_added", {"messages": (path,)}, call.clock.now())

    try:
        await leave_message(call, orders, keep)
    finally:  # a caller who hangs up in the middle has still said something
        if call.request.message_path:
            await keep()


async def _change_number(call: Call, orders: Orders, order: Order) -> None:
    if not orders.may_change_number(call):
        await call.say(Prompt.TOO_MANY_TRIES)
        return
    await ask_number(call, orders, says_so=False)
    number = call.request.callback_number
    if not number:
        return
    if number == order.callback_number or await orders.change_number(call, order, number):
        await call.say(Prompt.NUMBER_KEPT, number=number)
    else:
        await call.say(Prompt.TECHNICAL_TROUBLE)


async def _prefer_time(call: Call, office: Office, orders: Orders, order: Order) -> None:
    """Note the next time of the wanted hour at which the line is open; the deadline does not move."""
    for _ in range(_TRIES):
        keyed = await call.caller.keys(Prompt.CALLBACK_ASK_TIME, 4)
        if not keyed:
            return
        preferred_at = next_open(office, keyed, call.clock.now())
        if preferred_at is None:
            await call.say(Prompt.CALLBACK_TIME_NOT_POSSIBLE)
            continue
        noted = await orders.note(order.order_id, "preferred_time", {"preferred_at": preferred_at}, call.clock.now())
        if noted:
            await call.say(Prompt.CALLBACK_TIME_NOTED)
        else:
            await call.say(Prompt.TECHNICAL_TROUBLE)
        return


def next_open(office: Office, keyed: str, now: datetime) -> datetime | None:
    """Return the next instant after `now` whose time is HHMM as `keyed`, in working hours; None if there is none."""
    if len(keyed) != 4 or not keyed.isdecimal() or int(keyed[:2]) > 23 or int(keyed[2:]) > 59:
        return None
    at = time(int(keyed[:2]), int(keyed[2:]))
    today = now.astimezone(SHANGHAI).date()
    days = (today + timedelta(days=ahead) for ahead in range(_LOOK_AHEAD_DAYS))
    moments = (datetime.combine(day, at, SHANGHAI) for day in days)
    return next((then for then in moments if then > now and office.is_open_at(then)), None)
