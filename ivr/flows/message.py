"""A caller's message: up to two minutes, to hear again and to redo."""

from __future__ import annotations

from callback_scheduler.timetable.ports import Note
from ivr.calls.call import Call
from ivr.calls.orders import Orders
from ivr.calls.steps import CallStep
from ivr.speech.prompts import Prompt

KEEP, HEAR, REDO = "1", "2", "3"
_SHORTEST_MS = 1000
_REVIEWS = 6  # then what is there is kept: the caller has stopped deciding


async def _noted_already() -> bool:
    return True  # `_record` does, for an order to come


async def leave_message(call: Call, orders: Orders, keep: Note = _noted_already) -> None:
    """Let the caller speak after the beep and confirm; a caller who says nothing leaves an order without one.

    `keep` puts the message with an order that is there, before the caller hears that it is kept.
    """
    call.step(CallStep.MESSAGE)
    path = await _record(call, orders)
    for _ in range(_REVIEWS):
        if path is None:
            return
        choice = await call.ask(Prompt.MESSAGE_REVIEW, KEEP + HEAR + REDO, otherwise=KEEP)
        if choice == KEEP:
            await call.say(Prompt.MESSAGE_KEPT if await keep() else Prompt.TECHNICAL_TROUBLE)
            return
        if choice == HEAR:
            await call.caller.say_files((path,))
        else:
            path = await _record(call, orders)


async def _record(call: Call, orders: Orders) -> str | None:
    """Return the file of one message of a second or more, or None.

    The request knows the file before the first word is in it: a call that breaks off keeps what was said.
    """
    await call.say(Prompt.LEAVE_MESSAGE)
    await call.say(Prompt.BEEP)
    call.caller.forget_keys()
    recording, path = call.record_legs(f"message-{call.new_id()}", call.caller, max_s=call.manners.message_max_s)
    call.request.message_path = str(path)
    await orders.note_request(call)
    call.caller.key_listener = lambda leg, digit: call.recordings.stop(recording)
    try:
        duration_ms = await call.recordings.ended(recording, call.caller)
    finally:
        call.caller.key_listener = None
    if str(path) in call.recordings.cut:
        await _tell_that_it_is_cut(call, duration_ms)
        return None
    if duration_ms >= _SHORTEST_MS:
        return str(path)
    call.request.message_path = ""
    await call.say(Prompt.MESSAGE_TOO_SHORT)
    return None


async def _tell_that_it_is_cut(call: Call, duration_ms: int) -> None:
    """Say that the message could not be kept; what there is of it stays with the request, which goes on without it."""
    if duration_ms < _SHORTEST_MS:
        call.request.message_path = ""
    await call.say(Prompt.MESSAGE_NOT_KEPT)
