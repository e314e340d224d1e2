"""Calls: those that were, in pages, and those of this moment."""

from __future__ import annotations

from console.api.call_models import CallAnswer, CallPage, RunningCalls, call_answer, running_call
from console.api.declared import ApiRequest, Query, operation, path_id
from console.api.hidden import note_numbers
from console.api.orders import CURSOR, LIMIT
from console.errors import NotFound


class CallsQuery(Query):
    """Which page."""

    cursor: str | None = CURSOR
    limit: int = LIMIT


ONE_CALL = {"oneCall": {"operationId": "one_call", "parameters": {"call_id": "$response.body#/calls/0/call_id"}}}


@operation(
    "/api/v1/calls", scope="calls:read", tag="calls", answer=CallPage, query=CallsQuery, links=ONE_CALL,
    refusals=(404,), summary="List calls, newest first",
)  # fmt: skip
async def calls(request: ApiRequest) -> CallPage:
    """A token bound to a unit sees that unit's calls only: its pages may be short, so go on until `next` is null."""
    query: CallsQuery = request.query
    operations = request.visit.operations
    if query.cursor is not None and await operations.call(query.cursor) is None:
        raise NotFound(key="api.cursor")
    records = await operations.recent_calls(query.limit + 1, query.cursor or "")
    page = records[: query.limit]
    following = page[-1]["call_id"] if len(records) > len(page) else None
    seen = [call for call in page if request.unit_id in ("", call.get("unit_id", ""))]
    await note_numbers(request, f"{len(seen)} calls")
    return CallPage(calls=[call_answer(request, call) for call in seen], next=following)


@operation(
    "/api/v1/calls/running", scope="calls:read", tag="calls", answer=RunningCalls, summary="The calls of this moment"
)
async def running_calls(request: ApiRequest) -> RunningCalls:
    """Where each is, how long, and who is in it."""
    status = request.visit.operations.status()
    seen = [call for call in status["calls"] if request.unit_id in ("", call.get("unit_id", ""))]
    return RunningCalls(at=status["at"], calls=[running_call(call) for call in seen])


@operation(
    "/api/v1/calls/<call_id>", scope="calls:read", tag="calls", answer=CallAnswer, refusals=(404,), summary="One call"
)
async def one_call(request: ApiRequest) -> CallAnswer:
    """The record of a call with all its legs."""
    record = await request.visit.operations.call(path_id(request.visit, "call_id"))
    if record is None or request.unit_id not in ("", record.get("unit_id", "")):
        raise NotFound(key="api.no_call")
    await note_numbers(request, record["call_id"])
    return call_answer(request, record)
