"""An order as the API answers it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from callback_scheduler.orders.evidence import proves
from callback_scheduler.orders.order import Attempt, AttemptOutcome, MergedCall, Order, OrderKind
from callback_scheduler.orders.states import OrderState
from callback_scheduler.orders.verdict import Verdict, counted_as, verdict
from console.api.declared import Answer, ApiRequest
from console.api.hidden import number, words


class AttemptAnswer(Answer):
    """One try to place a callback (拨打记录)."""

    attempt_id: str
    begun_at: datetime
    ended_at: datetime | None
    by: str = Field(description="timetable, unit, enterprise or specialist")
    number: str = Field(description="The enterprise's phone.")
    unit_number: str
    outcome: AttemptOutcome
    enterprise_rung_at: datetime | None
    call_id: str = Field(description="Of the call that is the evidence; empty if there was none.")
    unit_accepted_at: datetime | None = Field(description="When key 1 was pressed at the unit.")
    talk_began_at: datetime | None
    two_way_s: float = Field(description="Seconds of talk both ways.")
    is_proved: bool = Field(description="Whether this is enough evidence that the enterprise was reached.")


class MergedAnswer(Answer):
    """A repeated call that the order took up (并单)."""

    order_id: str
    call_id: str
    kind: OrderKind
    opened_at: datetime


class OrderAnswer(Answer):
    """An order: one callback that a unit owes. Instants are in Asia/Shanghai."""

    order_id: str
    state: OrderState
    verdict: Verdict = Field(description="Its class now, under its own deadline, as in the report.")
    kind: OrderKind
    counted_as: Literal["after_hours", "missed_in_hours", "online"]
    unit_id: str
    units_before: list[str]
    matter_id: str
    company: str = Field(description="The enterprise's name; empty if nobody has entered it.")
    contact: str = Field(description="Whom to ask for there.")
    caller_number: str
    callback_number: str = Field(description="The number to ring; empty if there is none.")
    call_id: str
    key_path: str
    opened_at: datetime
    due_at: datetime
    due_because: str = Field(description="Why it is due then, one Chinese sentence.")
    is_due_provisional: bool
    original_due_at: datetime | None
    sent_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    reached_at: datetime | None
    self_reported_at: datetime | None
    self_reported_by: str
    self_report: str
    return_reason: str
    returns: int
    overdue_at: datetime | None
    breach_cause: str
    promised_at: datetime | None
    preferred_at: datetime | None
    closed_at: datetime | None
    survey_level: int = Field(ge=0, le=5, description="0 if it was not rated.")
    is_solved: bool | None
    written_request: str = Field(description="What was typed last to the online assistant.")
    written_requests: list[str] = Field(description="All that was typed, oldest first: repeated requests are merged.")
    written_answer: str
    written_answer_at: datetime | None
    written_answer_by: str
    first_response_at: datetime | None
    attempts: list[AttemptAnswer]
    merged_calls: list[MergedAnswer]
    is_for_another_number: bool = Field(description="The callback goes to a number that no call about it showed.")
    hold_reason: str = Field(description="Why a person must look before it is dialled; empty if nobody must.")
    version: int = Field(description="How many events there have been.")


class OrderPage(Answer):
    """A page of orders, newest first."""

    orders: list[OrderAnswer]
    next: str | None = Field(description="Give it as `cursor` for the page behind; null on the last one.")


class Moment(Answer):
    """Something that happened to an order."""

    event_id: str
    at: datetime
    type: str
    what: str = Field(description="opened, or the event or note: sent, acknowledged, attempt_begun, …")
    who: str
    why: str
    state_from: str
    state_to: str
    attempt_id: str


class OrderWithTimeline(OrderAnswer):
    """An order, and everything that happened to it, oldest first."""

    timeline: list[Moment]


_PLAIN = (
    "order_id", "state", "kind", "unit_id", "matter_id", "call_id", "key_path", "opened_at", "original_due_at",
    "sent_at", "acknowledged_at", "reached_at", "self_reported_at", "returns", "overdue_at", "breach_cause",
    "promised_at", "preferred_at", "closed_at", "survey_level", "is_solved", "written_answer_at",
    "first_response_at", "is_for_another_number", "hold_reason", "version",
)  # fmt: skip
_WORDS = (
    "company", "contact", "acknowledged_by", "self_reported_by", "self_report", "return_reason", "written_request",
    "written_answer", "written_answer_by",
)  # fmt: skip


def order_fields(request: ApiRequest, order: Order) -> dict[str, Any]:
    """Return the fields of an OrderAnswer."""
    deadline = order.deadline
    return {
        **{name: getattr(order, name) for name in _PLAIN},
        **{name: words(request, getattr(order, name)) for name in _WORDS},
        "verdict": verdict(order, request.visit.now()),
        "counted_as": counted_as(order),
        "units_before": list(order.units_before),
        "written_requests": [words(request, text) for text in order.requests],
        "caller_number": number(request, order.caller_number),
        "callback_number": number(request, order.callback_number),
        "due_at": deadline.due_at,
        "due_because": deadline.reason,
        "is_due_provisional": deadline.is_provisional,
        "attempts": [_attempt(request, one) for one in order.attempts],
        "merged_calls": [_merged(one) for one in order.merged_calls],
    }


def order_answer(request: ApiRequest, order: Order) -> OrderAnswer:
    """Return an order as this token may see it."""
    return OrderAnswer(**order_fields(request, order))


def moment(request: ApiRequest, event: Mapping[str, Any]) -> Moment:
    """Return one event of an order as this token may see it."""
    payload = event.get("payload", {})
    return Moment(
        event_id=event["event_id"],
        at=datetime.fromisoformat(event["at"]),
        type=event["type"],
        what=str(payload.get("event") or payload.get("note") or "opened"),
        who=words(request, str(payload.get("who", ""))),
        why=words(request, str(payload.get("why", ""))),
        state_from=str(payload.get("state_from") or ""),
        state_to=str(payload.get("state_to") or ""),
        attempt_id=str((payload.get("attempt") or {}).get("attempt_id", "")),
    )


def _attempt(request: ApiRequest, attempt: Attempt) -> AttemptAnswer:
    evidence = attempt.evidence
    return AttemptAnswer(
        attempt_id=attempt.attempt_id, begun_at=attempt.begun_at, ended_at=attempt.ended_at, by=attempt.by,
        number=number(request, attempt.number), unit_number=number(request, attempt.unit_number),
        outcome=attempt.outcome, enterprise_rung_at=attempt.enterprise_rung_at,
        call_id=evidence.call_id if evidence else "",
        unit_accepted_at=evidence.accepted_at if evidence else None,
        talk_began_at=evidence.talk_began_at if evidence else None,
        two_way_s=evidence.two_way_s if evidence else 0.0,
        is_proved=proves(evidence),
    )  # fmt: skip


def _merged(call: MergedCall) -> MergedAnswer:
    return MergedAnswer(order_id=call.order_id, call_id=call.call_id, kind=call.kind, opened_at=call.opened_at)
