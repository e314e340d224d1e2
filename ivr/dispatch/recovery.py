"""After a node was killed: calls it carried are closed, and what their callers asked for becomes orders."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.order import OrderKind
from ivr.calls.cdr import CallOutcome, CallRecord, Direction
from ivr.calls.errors import NoNumber
from ivr.calls.orders import Orders
from ivr.calls.request import Request
from ivr.line.wav import repair
from routing.clock import Clock

log = structlog.get_logger()

_TOLD_OF_CALLS = ("call_offered", "request_noted", "order_opened", "call_ended")


@dataclass
class _Unfinished:
    """A call that was offered and never ended."""

    offered: dict[str, Any]
    at: datetime
    request: Request
    order_ids: list[str] = field(default_factory=list)


async def recover(ledger: Ledger, orders: Orders, clock: Clock, recordings: Path) -> int:
    """Close every call the journal knows no end of, and return how many there were.

    A caller whose node died wanted to go on: they get an order unless they had one, or were served. Each step is
    an event of its own, so a second crash in here repeats nothing.
    """
    unfinished = _unfinished(await ledger.history(*_TOLD_OF_CALLS))
    for call_id, call in unfinished.items():
        files = [file for file in recordings.rglob(f"{call_id}-*.wav") if _made_whole(file)]
        direction = Direction(call.offered.get("direction", "in"))
        if direction is Direction.IN and not call.order_ids and not call.request.is_settled:
            await _open_order(orders, call_id, call)
        record = CallRecord(
            call_id=call_id,
            sip_call_id=call.offered["sip_call_id"],
            caller_number=call.offered["caller"],
            called_number=call.offered["called"],
            offered_at=call.at,
            direction=direction,
            attempt_id=call.offered.get("attempt_id", ""),
            ended_at=clock.now(),
            was_open=not call.offered["was_closed"],
            matter_id=call.request.matter_id,
            unit_id=call.request.unit_id,
            key_path=call.request.key_path,
            outcome=CallOutcome.LINE_LOST,
            cause="the node died",
            recordings=[str(file) for file in files],
            order_ids=call.order_ids,
        )
        await ledger.write("call_ended", record.as_payload(), clock.now())
        log.warning("call_ended", call_id=call_id, outcome=record.outcome.value, cause=record.cause,
                    order_ids=call.order_ids)
    return len(unfinished)


def _unfinished(history: list[JournalEvent]) -> dict[str, _Unfinished]:
    calls: dict[str, _Unfinished] = {}
    for event in history:
        payload = event.payload
        call_id = payload["call_id"]
        if event.event_type == "call_offered":
            request = Request(caller_number=payload["caller"], was_closed=payload["was_closed"])
            calls[call_id] = _Unfinished(payload, event.at, request)
        elif event.event_type == "call_ended":
            calls.pop(call_id, None)
        elif call_id in calls and event.event_type == "order_opened":
            calls[call_id].order_ids.append(payload["order_id"])
        elif call_id in calls:
            names = {field.name for field in dataclasses.fields(Request)}
            calls[call_id].request = Request(**{name: value for name, value in payload.items() if name in names})
    return calls


async def _open_order(orders: Orders, call_id: str, call: _Unfinished) -> None:
    if call.request.message_path and not Path(call.request.message_path).exists():
        call.request.message_path = ""
    try:
        opened = await orders.open_request(call.request, call_id, OrderKind.INTERRUPTED, call.at)
    except NoNumber:
        log.warning("caller_lost", call_id=call_id, reason="no number to ring back")
        return
    call.order_ids.append(opened.order_id)


def _made_whole(file: Path) -> bool:
    """Repair the header a killed line left at 0; False for a file nothing was written to."""
    try:
        repair(file)
    except OSError as wrong:
        log.error("recording_not_repaired", file=str(file), error=str(wrong))
    return file.exists()
