"""Every call begins here: greeted, told of the recording, and led to what it is about."""

from __future__ import annotations

from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.steps import CallStep
from ivr.flows.after_hours import after_hours
from ivr.flows.elsewhere import elsewhere
from ivr.flows.menu import choose_matter
from ivr.flows.rings_again import rings_again
from ivr.flows.specialist_dials_in import specialist_dials_in
from ivr.flows.working_hours import working_hours
from ivr.speech.prompts import Prompt


async def reception(call: Call, office: Office, orders: Orders) -> CallOutcome:
    """Answer a caller and see the call through; return what it came to."""
    opening = office.opening()
    call.record.was_open = opening.is_open
    call.request.was_closed = call.request.wants_answer = not opening.is_open
    await orders.note_offered(call)
    await call.answer()
    outcome = await _known_caller(call, office, orders)
    if outcome is not None:
        return outcome
    if not opening.is_open:
        return await after_hours(call, office, orders)
    call.step(CallStep.GREETING)
    greeting = Prompt.GREETING if call.manners.record_calls else Prompt.GREETING_UNRECORDED
    await call.caller.say(greeting, stop_on_key=True)
    matter = await choose_matter(call, office, orders)
    if matter is not None and matter.belongs_elsewhere:
        return await elsewhere(call, matter)
    return await working_hours(call, office, orders, matter)


async def _known_caller(call: Call, office: Office, orders: Orders) -> CallOutcome | None:
    """See to a caller whose number we know: a specialist, or, in hours, an enterprise with an open order.

    None if they ring about something else, or if the trunk does not answer for the number it shows.
    """
    if not call.is_caller_trusted:
        return None
    number = call.request.caller_number
    unit_and_person = office.directory.person_at(number)
    if unit_and_person is not None:
        return await specialist_dials_in(call, office, orders, *unit_and_person)
    if not call.record.was_open:
        return None
    order = await orders.owed_to(number)
    return None if order is None else await rings_again(call, office, orders, order)
