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
from ivr.flows.message import leave_message
from ivr.flows.number import ask_number
from ivr.speech.prompts import Prompt
from routing.clock import SHANGHAI

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
    """Let a caller key the number of their order and see to it; returns when they want something else."""
    call.step(CallStep.OWN_ORDER)
    for _ in range(_TRIES):
        keyed = await call.caller.keys(Prompt.CALLBACK_ASK_ORDER, _MAX_DIGITS)
        if not keyed:
            return
        order = await orders.find(keyed)
        if order is not None and await _is_his(call, order):
            if await own_order(call, office, orders, order) is Wish.NOTHING_MORE:
                await call.say(Prompt.THANKS_GOODBYE)
                call.caller.hangup("goodbye")
                await call.wait()  # the end of the call
            return
        await call.say(Prompt.CALLBACK_UNKNOWN_ORDER)


async def _is_his(call: Call, order: Order) -> bool:
    """Whether the order is the caller's: numbers of orders can be guessed, the phone it is about cannot."""
    numbers = (order.callback_number, order.caller_number)
    if call.request.caller_number in numbers:
        return True
    last_four = await call.caller.keys(Prompt.CALLBACK_ASK_LAST_FOUR, 4)
    return len(last_four) == 4 and any(number.endswith(last_four) for number in numbers)


async def own_order(call: Call, office: Office, orders: Orders, order: Order) -> Wish:
    """Tell state and deadline, and let the caller change what is theirs to change while the order is open."""
    call.request.is_settled = True  # what the call is about is an order already
    await orders.note_request(call)
    language = office.settings.prompts.language
    state = _STATES[order.state] if language == "zh" else order.state.value.replace("_", " ")
    await call.say(Prompt.CALLBACK_ORDER_STATE, order_id=order.order_id, state=state, due=order.due_at)
    for _ in range(_CHANGES):
        choices = "1230" if order.state.is_open else "0"
        choice = await call.ask(Prompt.CALLBACK_ORDER_MENU, choices, retries=0)
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
    await ask_number(call, orders, says_so=False)
    number, changed = call.request.callback_number, {"callback_number": call.request.callback_number}
    if not number:
        return
    is_so = number == order.callback_number
    if is_so or await orders.note(order.order_id, "number_changed", changed, call.clock.now()):
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
