"""An order: the record of one callback that a unit owes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any, cast

from callback_scheduler.deadlines import CountedAs, Deadline
from callback_scheduler.order_states import OrderState
from routing.clock import SHANGHAI


class OrderKind(Enum):
    """How the order came to be."""

    AFTER_HOURS = "after_hours"  # the caller left it outside working hours
    MISSED = "missed"  # nobody accepted in working hours
    INTERRUPTED = "interrupted"  # the caller hung up half way, with a number to ring


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """What a flow knows of an order before it has a number.

    `opened_at` is aware; `callback_number` is the number to ring ("" if none); `message_path` is the recording the
    caller left ("" if none); `key_path` the digits that led here; `is_direct` that the matter needs no seat.
    """

    call_id: str
    kind: OrderKind
    opened_at: datetime
    caller_number: str
    callback_number: str
    matter_id: str
    unit_id: str
    deadline: Deadline
    company: str = ""
    key_path: str = ""
    message_path: str = ""
    is_direct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedCall:
    """A repeated call that an open order took up (并单), under the number it would have had."""

    order_id: str
    call_id: str
    kind: OrderKind
    opened_at: datetime
    caller_number: str
    company: str
    key_path: str
    message_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(OrderDraft):
    """An order as the store holds it; `merged_calls` are the repeated calls it took up, oldest first."""

    order_id: str
    state: OrderState
    merged_calls: tuple[MergedCall, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenedOrder:
    """What the caller is told: the number that counts, and by when. `was_merged`: an open order took the call up."""

    order_id: str
    was_merged: bool
    due_at: datetime
    is_provisional: bool


def to_payload(draft: OrderDraft, order_id: str) -> dict[str, Any]:
    """Return the flat fields of an `order_opened` event; instants in UTC, ISO 8601."""
    fields = {f.name: getattr(draft, f.name) for f in dataclasses.fields(OrderDraft) if f.name != "deadline"}
    due = {f.name: getattr(draft.deadline, f.name) for f in dataclasses.fields(Deadline)}
    return {"order_id": order_id} | {name: _plain(value) for name, value in (fields | due).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    return value.value if isinstance(value, Enum) else value


def from_fields(fields: Mapping[str, str], repeated: tuple[MergedCall, ...] = ()) -> Order:
    """Return the order in the fields of its Redis hash; KeyError or ValueError if they are not those of an order."""
    return Order(
        order_id=fields["order_id"],
        state=OrderState(fields["state"]),
        merged_calls=repeated,
        call_id=fields["call_id"],
        kind=OrderKind(fields["kind"]),
        opened_at=instant(fields["opened_at"]),
        caller_number=fields["caller_number"],
        callback_number=fields["callback_number"],
        matter_id=fields["matter_id"],
        unit_id=fields["unit_id"],
        company=fields["company"],
        key_path=fields["key_path"],
        message_path=fields["message_path"],
        is_direct=is_true(fields["is_direct"]),
        deadline=Deadline(
            due_at=instant(fields["due_at"]),
            reason=fields["reason"],
            is_provisional=is_true(fields["is_provisional"]),
            rule_version=fields["rule_version"],
            calendar_version=fields["calendar_version"],
            counted_as=cast(CountedAs, fields["counted_as"]),
        ),
    )


def merged_call(payload: Mapping[str, Any]) -> MergedCall:
    """Return the repeated call in the payload of its `order_opened` event."""
    names = ("order_id", "call_id", "caller_number", "company", "key_path", "message_path")
    return MergedCall(
        kind=OrderKind(payload["kind"]),
        opened_at=instant(payload["opened_at"]),
        **{name: payload[name] for name in names},
    )


def instant(text: str) -> datetime:
    """Return the instant in ISO 8601 `text`, on Shanghai's clock."""
    return datetime.fromisoformat(text).astimezone(SHANGHAI)


def is_true(text: str) -> bool:
    """Return the boolean that Lua's tostring wrote."""
    return text == "true"
