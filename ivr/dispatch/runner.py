"""Runs a call to its end, whatever end that is: nothing a caller asked for is lost, and its line is given back."""

from __future__ import annotations

from callback_scheduler.errors import SchedulerError
from callback_scheduler.orders.evidence import LEAST_TALK_S
from callback_scheduler.orders.holds import Hold
from callback_scheduler.orders.order import OrderKind
from ivr.calls.call import Call
from ivr.calls.cdr import CallOutcome, Direction, PartyRole
from ivr.calls.errors import CallEnded, CallError, NoNumber
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.flows.reception import reception
from ivr.speech.prompts import Prompt

_ARRIVAL_S = 5.0
# Seat and specialist may finish their talk when the caller has gone; then the line is needed.
_AFTER_CALLER_S = 600.0


async def run_call(call: Call, office: Office, orders: Orders) -> None:
    """See a call through reception and its flows, then close it; never raises."""
    try:
        call.record.outcome = await _through_flows(call, office, orders)
        await others_finish(call)
    except Exception:
        call.log.exception("call_close_failed")
    await close(call, orders)


async def _through_flows(call: Call, office: Office, orders: Orders) -> CallOutcome:
    try:
        await call.arrival.wait(_ARRIVAL_S)
        return await reception(call, office, orders)
    except CallEnded as end:
        call.record.cause = call.record.cause or str(end)
        return await _broken_off(call, orders)
    except Exception:
        call.log.exception("flow_failed")
        return await _apologise(call, orders)


async def _broken_off(call: Call, orders: Orders) -> CallOutcome:
    """The caller has gone, by their will or ours: keep their request as an order if there is a number to ring.

    A caller whose line died wanted to go on, whatever they were doing.
    """
    request = call.request
    if call.line_lost:
        request.wants_answer = True
    if call.arrival.was_refused:
        return CallOutcome.REFUSED
    if call.record.direction is not Direction.IN:
        return CallOutcome.SERVED if call.talked_s >= LEAST_TALK_S else CallOutcome.NOT_REACHED
    if request.is_settled or (call.talked_s >= LEAST_TALK_S and not call.line_lost):
        return CallOutcome.SERVED if not call.record.order_ids else CallOutcome.ORDER
    if not request.wants_answer:
        return CallOutcome.ABANDONED
    # a number that never confirmed our answer may have been made up: a person looks before somebody is rung there
    is_unheard = call.record.answered_at is None and not call.line_lost and not call.is_released
    try:
        await orders.open(call, OrderKind.INTERRUPTED, hold=Hold.UNHEARD.value if is_unheard else "")
    except NoNumber:
        call.log.warning("caller_lost", reason="no number to ring back")
        return CallOutcome.LINE_LOST if call.line_lost else CallOutcome.ABANDONED
    return CallOutcome.LINE_LOST if call.line_lost else CallOutcome.INTERRUPTED


async def _apologise(call: Call, orders: Orders) -> CallOutcome:
    """An error of ours: the caller hears so, and gets an order."""
    if not call.request.is_settled:
        try:
            await orders.open(call, OrderKind.INTERRUPTED)
        except (NoNumber, SchedulerError):
            call.log.exception("caller_lost")
    try:
        if call.caller.is_up:
            await call.say(Prompt.TECHNICAL_TROUBLE)
            call.caller.hangup("technical trouble")
    except CallError:
        pass  # gone before the apology was over
    except Exception:
        call.log.exception("apology_failed")
    return CallOutcome.FAILED


async def others_finish(call: Call) -> None:
    """Let those who talk end their talk without the one who left; whoever is alone is told and released."""
    if not call.is_over or call.is_released:  # a node that stops waits for nobody's talk
        return
    if call.joined:
        last = await call.until_alone(_AFTER_CALLER_S)
    else:  # an enterprise we rang, whose specialist has left before they were joined
        last = next((leg for leg in call.legs.values() if leg.role is PartyRole.CALLER), None)
    try:
        if last is not None and last.is_up and not call.is_released:
            await last.say(Prompt.NOBODY_AVAILABLE if last.role is PartyRole.CALLER else Prompt.CALLER_GONE)
    except CallError:
        pass  # hung up without waiting for the end of the sentence


async def close(call: Call, orders: Orders) -> None:
    """Hang up what is left, give the line back, and write the record."""
    try:
        await call.clear()
    except Exception:
        call.log.exception("call_clear_failed")  # its record is written all the same
    call.record.ended_at = call.clock.now()
    try:
        await orders.note_ended(call)
    except SchedulerError:
        call.log.exception("call_record_lost")
    call.log.info(
        "call_ended",
        direction=call.record.direction.value,
        outcome=call.record.outcome.value,
        transfer=call.record.transfer.value,
        cause=call.record.cause,
        steps=[step.value for step in call.record.steps],
        two_way_s=call.record.two_way_s,
        order_ids=call.record.order_ids,
    )
