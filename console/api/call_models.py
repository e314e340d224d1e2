"""A call as the API answers it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from console.api.declared import Answer, ApiRequest
from console.api.hidden import number, words
from ivr.calls.cdr import CallOutcome, Direction, PartyRole, TransferResult
from routing.clock import SHANGHAI


class LegAnswer(Answer):
    """One phone in a call."""

    role: PartyRole
    number: str
    name: str
    started_at: datetime | None
    answered_at: datetime | None
    accepted_at: datetime | None = Field(description="When key 1 was pressed.")
    ended_at: datetime | None
    sip_status: int
    cause: str
    redirected_to: str = Field(description="Where the phone sent its caller by a 3xx; empty if it did not.")
    two_way_s: float = Field(description="Seconds of talk both ways with the caller.")


class CallAnswer(Answer):
    """The record of a call; of one that runs, what was known when it was offered."""

    call_id: str
    direction: Direction
    caller_number: str
    called_number: str
    offered_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    was_open: bool | None = Field(description="Whether the line was open then; null if nobody had to know.")
    steps: list[str] = Field(description="The way through the flows.")
    key_path: str
    matter_id: str
    unit_id: str
    asked_for_person_at: datetime | None
    person_answered_at: datetime | None
    transfer: TransferResult
    outcome: CallOutcome | None = Field(description="null until the call is over.")
    cause: str
    two_way_s: float
    legs: list[LegAnswer]
    recordings: int = Field(description="How many there are; they are heard in the console.")
    recordings_cut: int = Field(description="How many lack sound, or are missing: the disk was full, or the line died.")
    order_ids: list[str]
    attempt_id: str


class CallPage(Answer):
    """A page of calls, newest first."""

    calls: list[CallAnswer]
    next: str | None = Field(description="Give it as `cursor` for the page behind; null on the last one.")


class PersonThere(Answer):
    """A seat or a specialist in a running call."""

    role: PartyRole
    name: str
    is_up: bool = Field(description="Whether it has answered.")


class RunningCall(Answer):
    """A call of this moment; its caller's number is masked for everybody."""

    call_id: str
    direction: Direction
    caller: str
    stage: str = Field(description="Where it is: with_seat, rings_specialist, three_way, menu, …")
    offered_at: datetime
    running_s: float
    matter_id: str
    unit_id: str
    order_ids: list[str]
    people: list[PersonThere]
    is_recorded: bool


class RunningCalls(Answer):
    """The calls of this moment, oldest first."""

    at: datetime
    calls: list[RunningCall]


_TEXTS = ("key_path", "matter_id", "unit_id", "attempt_id")
_INSTANTS = ("answered_at", "ended_at", "asked_for_person_at", "person_answered_at")


def call_answer(request: ApiRequest, record: Mapping[str, Any]) -> CallAnswer:
    """Return a call as this token may see it; a record may lack what an older version did not know."""
    return CallAnswer(
        call_id=record["call_id"],
        direction=record.get("direction") or Direction.IN,
        caller_number=number(request, record.get("caller_number") or record.get("caller") or ""),
        called_number=number(request, record.get("called_number") or record.get("called") or ""),
        offered_at=record.get("offered_at") or _told_by_id(record["call_id"]),
        was_open=record.get("was_open"),
        steps=list(record.get("steps") or ()),
        transfer=record.get("transfer") or TransferResult.NONE,
        outcome=record.get("outcome") if record.get("ended_at") else None,
        cause=words(request, record.get("cause") or ""),
        two_way_s=record.get("two_way_s") or 0.0,
        legs=[_leg(request, leg) for leg in record.get("legs") or ()],
        recordings=len(record.get("recordings") or ()),
        recordings_cut=len(record.get("recordings_cut") or ()),
        order_ids=list(record.get("order_ids") or ()),
        **{name: record.get(name) for name in _INSTANTS},
        **{name: record.get(name) or "" for name in _TEXTS},
    )


def _told_by_id(call_id: str) -> datetime:
    """Return when a call was offered by its id: older journals have no other word of a call that never ended."""
    return datetime.strptime(call_id.partition("-")[0], "%Y%m%dT%H%M%S").replace(tzinfo=SHANGHAI)


def _leg(request: ApiRequest, leg: Mapping[str, Any]) -> LegAnswer:
    instants = {name: leg.get(name) for name in ("started_at", "answered_at", "accepted_at", "ended_at")}
    return LegAnswer(
        role=leg["role"], number=number(request, leg.get("number") or ""), name=leg.get("name") or "",
        redirected_to=number(request, leg.get("redirected_to") or ""),
        sip_status=leg.get("sip_status") or 0, cause=leg.get("cause") or "", two_way_s=leg.get("two_way_s") or 0.0,
        **instants,
    )  # fmt: skip


def running_call(status: Mapping[str, Any]) -> RunningCall:
    """Return a call of this moment."""
    return RunningCall(
        call_id=status["call_id"], direction=status["direction"], caller=status["caller"], stage=status["stage"],
        offered_at=status["offered_at"], running_s=status["running_s"], matter_id=status.get("matter_id") or "",
        unit_id=status.get("unit_id") or "", order_ids=list(status.get("orders") or ()),
        people=[PersonThere(**person) for person in status.get("people") or ()],
        is_recorded=bool(status.get("recording")),
    )  # fmt: skip
