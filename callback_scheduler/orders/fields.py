"""Orders as JSON: in the events of the journal, and in the store."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from enum import Enum
from functools import lru_cache
from typing import Any, cast

from callback_scheduler.orders.deadlines import CountedAs, Deadline
from callback_scheduler.orders.order import (
    Attempt,
    AttemptOutcome,
    BegunBy,
    Evidence,
    MergedCall,
    Order,
    OrderDraft,
    OrderKind,
)
from callback_scheduler.orders.states import OrderState
from routing.clock import SHANGHAI

_DEADLINE = tuple(field.name for field in dataclasses.fields(Deadline))
# What an event may change beside the state; `deadline` stands for all its fields.
CHANGEABLE = frozenset(
    {
        "callback_number", "unit_id", "company", "contact", "message_path", "sent_at", "acknowledged_at",
        "acknowledged_by", "reached_at", "self_reported_at", "self_reported_by", "self_report", "return_reason",
        "returns", "overdue_at", "breach_cause", "steps_done", "promised_at", "promised_by", "dial_after",
        "preferred_at", "closed_at", "messages", "survey_level", "is_solved", "original_due_at", "written_request",
        "written_requests", "written_answer", "written_answer_at", "written_answer_by", "first_response_at",
        "hold_reason", "deadline", *_DEADLINE,
    }
)
_STATES = {state.value: state for state in OrderState}
_KINDS = {kind.value: kind for kind in OrderKind}
_BEGUN_BY = {begun_by.value: begun_by for begun_by in BegunBy}
_OUTCOMES = {outcome.value: outcome for outcome in AttemptOutcome}


# -- into JSON --------------------------------------------------------------------------------------------------------


def to_payload(draft: OrderDraft, order_id: str) -> dict[str, Any]:
    """Return the flat fields of an `order_opened` event; instants in UTC, ISO 8601."""
    fields = {f.name: getattr(draft, f.name) for f in dataclasses.fields(OrderDraft) if f.name != "deadline"}
    return {"order_id": order_id} | {name: _plain(value) for name, value in fields.items()} | _flat(draft.deadline)


def attempt_fields(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as it stands in an event."""
    fields = {f.name: _plain(getattr(attempt, f.name)) for f in dataclasses.fields(Attempt)}
    if attempt.evidence is not None:
        evidence = {f.name: _plain(getattr(attempt.evidence, f.name)) for f in dataclasses.fields(Evidence)}
        fields["evidence"] = evidence | {"two_way_s": round(attempt.evidence.two_way_s, 3)}
    return fields


def change_fields(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes of an order as they stand in an event; ValueError names a field that no event may change."""
    unknown = sorted(changes.keys() - CHANGEABLE)
    if unknown:
        raise ValueError(f"no event changes {', '.join(unknown)} of an order")
    fields = {name: _plain(value) for name, value in changes.items() if name != "deadline"}
    return fields | (_flat(changes["deadline"]) if "deadline" in changes else {})


def _flat(due: Deadline) -> dict[str, Any]:
    return {name: _plain(getattr(due, name)) for name in _DEADLINE}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    return value.value if isinstance(value, Enum) else value


# -- from JSON --------------------------------------------------------------------------------------------------------


def from_fields(fields: Mapping[str, Any]) -> Order:
    """Return the order in the document of the store; KeyError or ValueError if it is not that of an order."""
    return Order(
        order_id=fields["order_id"],
        state=_STATES[fields["state"]],
        call_id=fields["call_id"],
        kind=_KINDS[fields["kind"]],
        opened_at=instant(fields["opened_at"]),
        caller_number=fields["caller_number"],
        callback_number=fields["callback_number"],
        matter_id=fields["matter_id"],
        unit_id=fields["unit_id"],
        company=fields.get("company", ""),
        contact=fields.get("contact", ""),
        key_path=fields["key_path"],
        message_path=fields["message_path"],
        is_direct=fields["is_direct"],
        deadline=Deadline(
            due_at=instant(fields["due_at"]),
            reason=fields["reason"],
            is_provisional=fields["is_provisional"],
            rule_version=fields["rule_version"],
            calendar_version=fields["calendar_version"],
            counted_as=cast(CountedAs, fields["counted_as"]),
        ),
        **_life(fields),
    )


_LIFE_INSTANTS = (
    "sent_at", "acknowledged_at", "reached_at", "self_reported_at", "overdue_at", "promised_at", "dial_after",
    "preferred_at", "closed_at", "original_due_at", "written_answer_at", "first_response_at",
)
_LIFE_PLAIN = (
    "acknowledged_by", "self_reported_by", "self_report", "return_reason", "returns", "breach_cause", "promised_by",
    "survey_level", "is_solved", "version", "written_request", "written_answer", "written_answer_by", "hold_reason",
)


def _life(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What has become of an order since it was opened; what is not there has not happened."""
    found: dict[str, Any] = {name: instant(fields[name]) for name in _LIFE_INSTANTS if name in fields}
    found |= {name: fields[name] for name in _LIFE_PLAIN if name in fields}
    found |= {name: tuple(fields[name]) for name in ("units_before", "messages") if name in fields}
    found["written_requests"] = tuple(fields.get("written_requests", ()))
    found["past"] = tuple(map(tuple, fields.get("past", ())))
    if "steps_done" in fields:
        found["steps_done"] = frozenset(fields["steps_done"])
    if "merged" in fields:
        found["merged_calls"] = tuple(map(merged_call, fields["merged"]))
    if "attempts" in fields:
        found["attempts"] = _in_order(map(attempt_of, fields["attempts"].values()))
    return found


def _in_order(attempts: Iterable[Attempt]) -> tuple[Attempt, ...]:
    return tuple(sorted(attempts, key=lambda attempt: (attempt.begun_at, len(attempt.attempt_id), attempt.attempt_id)))


def attempt_of(fields: Mapping[str, Any]) -> Attempt:
    """Return the attempt in its fields."""
    evidence = fields.get("evidence")
    return Attempt(
        attempt_id=fields["attempt_id"],
        begun_at=instant(fields["begun_at"]),
        by=_BEGUN_BY.get(fields["by"], fields["by"]),
        number=fields["number"],
        unit_number=fields["unit_number"],
        outcome=_OUTCOMES[fields["outcome"]],
        ended_at=_instant_or_none(fields.get("ended_at")),
        enterprise_rung_at=_instant_or_none(fields.get("enterprise_rung_at")),
        evidence=None if evidence is None else _evidence_of(evidence),
        epoch=fields["epoch"],
    )


def _evidence_of(fields: Mapping[str, Any]) -> Evidence:
    return Evidence(
        call_id=fields["call_id"],
        unit_number=fields["unit_number"],
        unit_answered_at=_instant_or_none(fields.get("unit_answered_at")),
        accepted_at=_instant_or_none(fields.get("accepted_at")),
        enterprise_number=fields["enterprise_number"],
        enterprise_answered_at=_instant_or_none(fields.get("enterprise_answered_at")),
        talk_began_at=_instant_or_none(fields.get("talk_began_at")),
        two_way_s=float(fields["two_way_s"]),
        recording=fields["recording"],
    )


def merged_call(payload: Mapping[str, Any]) -> MergedCall:
    """Return the repeated call in the payload of its `order_opened` event."""
    names = ("order_id", "call_id", "caller_number", "company", "key_path", "message_path")
    return MergedCall(
        kind=_KINDS[payload["kind"]],
        opened_at=instant(payload["opened_at"]),
        **{name: payload[name] for name in names},
    )


@lru_cache(maxsize=10_000)  # many orders are due at the same instant
def instant(text: str) -> datetime:
    """Return the instant in ISO 8601 `text`, on Shanghai's clock."""
    return datetime.fromisoformat(text).astimezone(SHANGHAI)


def _instant_or_none(text: str | None) -> datetime | None:
    return None if text is None else instant(text)
