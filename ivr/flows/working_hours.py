"""In working hours a caller gets a person: a seat, or the specialists themselves; failing all, an order."""

from __future__ import annotations

from callback_scheduler.orders.evidence import LEAST_TALK_S
from callback_scheduler.orders.order import OrderKind
from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome, TransferResult
from ivr.calls.errors import NobodyAccepted
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.ringing import find_specialist, ring_seat, waiting_caller
from ivr.calls.steps import CallStep
from ivr.flows.after_hours import promise_callback
from ivr.flows.number import ask_number
from ivr.flows.survey import survey
from ivr.flows.three_way import Conversation
from ivr.speech.prompts import Prompt
from routing.directory import Seat
from routing.matters import Matter


async def working_hours(call: Call, office: Office, orders: Orders, chosen: Matter | None) -> CallOutcome:
    """Put the caller through to a seat, or straight to specialists; see that they are never left alone."""
    matter = chosen or office.general_matter
    call.request.wants_answer = True
    call.record.asked_for_person_at = call.clock.now()
    await orders.note_request(call)
    seats = () if matter.is_direct else office.seats
    for turn in range(2):
        conversation = await _with_a_person(call, office, orders, matter, seats)
        if conversation is None:
            return await missed(call, orders)
        if call.talked_s >= LEAST_TALK_S and not conversation.was_cut_off:
            return await _served(call, orders)
        # cut off before they could talk: a seat this time, whatever the path says
        call.step(CallStep.ALONE)
        seats = office.seats
        if turn == 0:
            await call.say(Prompt.ALONE_ANNOUNCEMENT)
    return await missed(call, orders)


async def _with_a_person(
    call: Call, office: Office, orders: Orders, matter: Matter, seats: tuple[Seat, ...]
) -> Conversation | None:
    """Let the caller talk to a seat or a specialist until they have left; None if nobody could be had."""
    conversation = Conversation(call, office, orders, matter)
    if seats:
        call.step(CallStep.SEAT)
        await call.say(Prompt.CONNECTING_SEAT)
        seat = await ring_seat(call, seats, matter if call.request.matter_id else None)
        if seat is not None:
            call.record.person_answered_at = call.record.person_answered_at or call.clock.now()
            await conversation.talk(seat=seat)
            return conversation
    call.step(CallStep.SPECIALIST)
    call.record.transfer = TransferResult.ABANDONED  # until somebody accepts or all have been tried
    await call.say(Prompt.CONNECTING_SPECIALIST, matter=matter.name)
    try:
        specialist = await find_specialist(call, office.tiers(matter), waiting_caller(call, matter))
    except NobodyAccepted as nobody:
        call.record.transfer = TransferResult.NOBODY
        call.request.ten_minutes_promised |= nobody.promised
        return None
    call.record.transfer = TransferResult.ACCEPTED
    call.record.person_answered_at = call.record.person_answered_at or call.clock.now()
    await conversation.talk(specialist=specialist)
    return conversation


async def _served(call: Call, orders: Orders) -> CallOutcome:
    call.request.is_settled = True
    await orders.note_request(call)
    await survey(call, orders)
    await call.say(Prompt.THANKS_GOODBYE)
    call.caller.hangup("goodbye")
    return CallOutcome.SERVED


async def missed(call: Call, orders: Orders) -> CallOutcome:
    """Nobody could be had: the promise of a callback on the next workday."""
    call.step(CallStep.MISSED)
    await call.say(Prompt.TEN_MINUTES_PROMISED if call.request.ten_minutes_promised else Prompt.NOBODY_AVAILABLE)
    if orders.number_of(call) is None:
        await ask_number(call, orders)
    return await promise_callback(call, orders, OrderKind.MISSED)
