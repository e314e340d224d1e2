"""Every call begins here: greeted, told of the recording, and led to what it is about."""

from __future__ import annotations

from ivr.calls.call import Call
from ivr.calls.cdr import Outcome
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.flows.after_hours import after_hours
from ivr.flows.elsewhere import elsewhere
from ivr.flows.menu import choose_matter
from ivr.flows.working_hours import working_hours
from ivr.speech.prompts import Prompt


async def reception(call: Call, office: Office, orders: Orders) -> Outcome:
    """Answer a caller and see the call through; return what it came to."""
    opening = office.opening()
    call.record.was_open = opening.is_open
    call.request.was_closed = call.request.wants_answer = not opening.is_open
    await orders.note_offered(call)
    await call.answer()
    if not opening.is_open:
        return await after_hours(call, office, orders)
    call.step("greeting")
    greeting = Prompt.GREETING if call.manners.record_calls else Prompt.GREETING_UNRECORDED
    await call.caller.say(greeting, stop_on_key=True)
    matter = await choose_matter(call, office)
    if matter is not None and matter.belongs_elsewhere:
        return await elsewhere(call, matter)
    return await working_hours(call, office, orders, matter)
