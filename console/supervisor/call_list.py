"""The calls behind a figure: who asked for a specialist, who did not get one, whom nobody answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import ceil
from typing import Any

from callback_scheduler.orders.call_facts import call_facts
from callback_scheduler.reports.calls import CallTally
from console.errors import BadInput
from console.supervisor.filters import Filters, page_number
from console.supervisor.story import Leg, leg_of
from routing.clock import SHANGHAI, in_shanghai

PAGE = 50
SEARCHED_AT_MOST = 5000
_CHUNK = 500
# What a figure counts of the tally of one call: the list is right as long as the figure is.
_COUNTED: Mapping[str, Callable[[CallTally], int]] = {
    "failed": lambda tally: tally.transfers - tally.transfers_connected,
    "transfers": lambda tally: tally.transfers,
    "unanswered": lambda tally: tally.offered - tally.answered - tally.hung_up_early,
}
WHICH = tuple(_COUNTED)
Load = Callable[[int, str], Awaitable[list[dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call; `talked_s` with the specialist, `length_s` in all, `called` the people whose phones were rung."""

    call_id: str
    at: datetime
    caller_number: str
    matter_id: str
    unit_id: str
    outcome: str
    length_s: float
    talked_s: float
    called: tuple[Leg, ...]
    order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallsPage:
    """A page of rows, newest first; `was_cut` when older calls of the period were not looked at."""

    rows: list[CallRow]
    count: int
    page: int
    pages: int
    was_cut: bool


def which_calls(args: Mapping[str, str]) -> tuple[str, int]:
    """Return which calls an address names, and which page; BadInput if there are no such ones."""
    which = args.get("which") or WHICH[0]
    if which not in WHICH:
        raise BadInput
    return which, page_number(args)


async def page_of(load: Load, filters: Filters, which: str, page: int) -> CallsPage:
    """Return a page of the calls of a period and unit; `load` gives records, newest first, behind a call's id."""
    records, was_cut = await _records(load, filters.since)
    counts = _COUNTED[which]
    rows = [record for record in records if _is_in(record, filters) and counts(_tally(record))]
    pages = max(1, ceil(len(rows) / PAGE))
    page = min(page, pages)
    return CallsPage([_row(one) for one in rows[(page - 1) * PAGE : page * PAGE]], len(rows), page, pages, was_cut)


async def _records(load: Load, since: date) -> tuple[list[dict[str, Any]], bool]:
    """Return the records of calls offered from `since` on that are over, and whether there are more than searched."""
    first = datetime.combine(since, time.min, SHANGHAI)
    records: list[dict[str, Any]] = []
    looked_at, after = 0, ""
    while looked_at < SEARCHED_AT_MOST:
        chunk = await load(_CHUNK, after)
        records += [one for one in chunk if one.get("ended_at") and _offered_at(one) >= first]
        looked_at += len(chunk)
        if len(chunk) < _CHUNK or _offered_at(chunk[-1]) < first:
            return records, False
        after = chunk[-1]["call_id"]
    return records, True


def _is_in(record: Mapping[str, Any], filters: Filters) -> bool:
    if filters.unit_id not in ("", record.get("unit_id") or ""):
        return False
    until = datetime.combine(filters.until + timedelta(days=1), time.min, SHANGHAI) if filters.until else None
    return until is None or _offered_at(record) < until


def _offered_at(record: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(record["offered_at"])


def _tally(record: Mapping[str, Any]) -> CallTally:
    tally = CallTally()
    tally.add_call(call_facts(record))
    return tally


def _row(record: Mapping[str, Any]) -> CallRow:
    facts = call_facts(record)
    return CallRow(
        call_id=record["call_id"],
        at=in_shanghai(_offered_at(record)),
        caller_number=record.get("caller_number", ""),
        matter_id=record.get("matter_id", ""),
        unit_id=record.get("unit_id", ""),
        outcome=record.get("outcome", ""),
        length_s=facts.lasted_ms / 1000,
        talked_s=facts.talked_s,
        called=tuple(leg_of(leg) for leg in record.get("legs", ()) if leg.get("role") != "caller"),
        order_ids=tuple(record.get("order_ids", ())),
    )
