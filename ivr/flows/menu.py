"""The menu of matters: one level, four at most, a person one key away; a switch turns it off.

`*` leads to an order that is there already; it is not announced, for a menu should be short (GB/T 33358).
"""

from __future__ import annotations

from ivr.calls.call import Call
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.steps import CallStep
from ivr.flows.own_order import look_up_order
from ivr.speech.prompts import Prompt
from routing.matters import Matter

PERSON, OWN_ORDER = "0", "*"


async def choose_matter(call: Call, office: Office, orders: Orders) -> Matter | None:
    """Return the matter a caller chose; None if they want a person, chose none, or there is no menu (GB/T 33358).

    Out of hours 0 is any other matter.
    """
    menu = office.menu()
    if not office.settings.phone.menu_enabled or not menu:
        return None
    call.step(CallStep.MENU)
    options = [matter.name for matter in menu.values()]
    prompt = Prompt.MENU_CLOSED if call.request.was_closed else Prompt.MENU
    digit = OWN_ORDER
    while digit == OWN_ORDER:
        digit = await call.ask(
            prompt, "".join(menu) + PERSON + OWN_ORDER, otherwise=PERSON, again=Prompt.MENU_AGAIN, matters=options
        )
        if digit == OWN_ORDER:
            await look_up_order(call, office, orders)
    call.request.key_path = call.record.key_path = digit
    matter = menu.get(digit)
    if matter is not None:
        call.request.matter_id = call.record.matter_id = matter.matter_id
        call.request.unit_id = call.record.unit_id = matter.unit_id
    return matter
