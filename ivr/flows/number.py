"""The number an enterprise is rung back at: its own, or one it keys in."""

from __future__ import annotations

from ivr.calls.call import Call
from ivr.calls.orders import Orders
from ivr.calls.steps import CallStep
from ivr.speech.prompts import Prompt

_MAX_DIGITS = 20  # 0086, area code, number, and an extension after *
_NUMBER_TRIES = 3


async def ask_number(call: Call, orders: Orders, *, says_so: bool = True) -> None:
    """Offer the caller's own number for the callback, else let them key one and read it back.

    After three tries that lead nowhere their own number stands, if it may be dialled; they hear so, unless the order is
    there already and has to be changed first (`says_so` False).
    """
    call.step(CallStep.NUMBER)
    own = orders.own_number(call.request)
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
    if own and says_so:
        await call.say(Prompt.NUMBER_KEPT, number=own)
