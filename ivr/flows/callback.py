"""The callback of an order: the unit first, and only when a specialist has pressed 1 the enterprise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from callback_scheduler.orders.order import BegunBy, Order
from callback_scheduler.timetable.ladder import tiers_open
from ivr.calls.attempt import RunningAttempt, unit_outcome
from ivr.calls.call import Call
from ivr.calls.errors import NobodyAccepted
from ivr.calls.leg import Leg
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.ringing import ACCEPT, PASS_ON, TEN_MINUTES, Offer, find_specialist
from ivr.calls.steps import CallStep
from ivr.flows.enterprise import connect_enterprise
from ivr.speech.prompts import Prompt
from routing.tiers import Specialist, Tier

DETAILS, MESSAGE = "4", "5"
_QUESTIONS = 8  # then nobody is going to decide


async def callback(call: Call, office: Office, orders: Orders, running: RunningAttempt) -> None:
    """Ring the tiers of the unit that the ladder has opened, then the enterprise; `running` keeps what came of it."""
    order = running.order
    tiers = _requested_phone(running, office) or office.unit_tiers(order.unit_id)[: tiers_open(order)]
    call.step(CallStep.UNIT)
    try:
        specialist = await find_specialist(call, tiers, owed_callback(call, office, running))
    except NobodyAccepted:
        running.came_to(unit_outcome(call.record.legs, has_tiers=bool(tiers)))
        return
    await connect_enterprise(call, office, orders, running, specialist)


def _requested_phone(running: RunningAttempt, office: Office) -> tuple[Tier, ...]:
    """Return the one phone of whoever at the unit asked for the callback by a click; nobody if nobody did."""
    number = running.attempt.unit_number
    if running.attempt.by != BegunBy.UNIT or not number:
        return ()
    unit_and_person = office.directory.person_at(number.removeprefix("sip:").partition("@")[0])
    return (Tier((unit_and_person[1] if unit_and_person else Specialist("", "", number),), 0.0),)


def owed_callback(call: Call, office: Office, running: RunningAttempt) -> Offer:
    """Return the offer to settle an order now: 1 accept, 2 pass on, 3 in ten minutes, 4 details, 5 the message."""
    order = running.order
    matter, rules = office.directory.matter(order.matter_id), office.settings.ladder.of(order.unit_id)

    async def ask(leg: Leg) -> str:
        question: Prompt = Prompt.CALLBACK_WHISPER
        values: dict[str, Any] = {"matter": matter.name}
        for _ in range(_QUESTIONS):
            key = await leg.ask(
                question, ACCEPT + PASS_ON + TEN_MINUTES + DETAILS + MESSAGE,
                retries=0, first_digit_s=call.manners.accept_key_s, **values,
            )  # fmt: skip
            if key == DETAILS:
                await _say_details(leg, order)
            elif key == MESSAGE:
                await _play_message(leg, order)
            else:
                return key
            question, values = Prompt.CALLBACK_KEYS, {}
        return ""

    # one leg is kept for the enterprise; a specialist who promises to ring in ten minutes is bound by that
    return Offer(
        ask, over=Prompt.TECHNICAL_TROUBLE, legs_kept=1, promise_ends=True,
        note_promise=lambda leg: running.note_promise(call, leg, rules.ten_minutes_s),
    )  # fmt: skip


async def _say_details(leg: Leg, order: Order) -> None:
    await leg.say(
        Prompt.CALLBACK_DETAILS,
        stop_on_key=True, order_id=order.order_id, number=order.callback_number, due=order.due_at,
    )  # fmt: skip


async def _play_message(leg: Leg, order: Order) -> None:
    """Let the specialist hear all the enterprise has said, oldest first, up to the next key."""
    files = [file for file in spoken_messages(order) if Path(file).exists()]
    if not files:
        await leg.say(Prompt.CALLBACK_NO_MESSAGE, stop_on_key=True)
        return
    await leg.say(Prompt.CALLBACK_MESSAGE_FOLLOWS, stop_on_key=True)
    await leg.say_files(files, stop_on_key=True)


def spoken_messages(order: Order) -> list[str]:
    """Return the recordings the enterprise left: in its call, in calls taken up, and afterwards."""
    said = (order.message_path, *(repeated.message_path for repeated in order.merged_calls), *order.messages)
    return [file for file in said if file]
