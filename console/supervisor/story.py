"""The story of one order: its events and the legs of its calls in one line of time, and its recordings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from callback_scheduler.orders.call_facts import cut_recordings
from callback_scheduler.orders.order import Order
from routing.clock import in_shanghai

_TALK = {"callback", "dial_in", "in", "reminder"}
_SILENT = {"attempt_phase"}  # the call it is of tells more


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording of an order; `key` names it in addresses, `path` is as the records have it."""

    key: str
    path: str
    label: str  # message or talk
    at: datetime | None
    is_cut: bool = False  # it lacks sound


@dataclass(frozen=True, slots=True)
class Leg:
    """One phone in a call: who, from when to when, how long, and what came of it."""

    role: str
    number: str
    name: str
    started_at: datetime | None
    answered_at: datetime | None
    accepted_at: datetime | None
    ended_at: datetime | None
    rang_s: float | None
    talked_s: float
    sip_status: int
    cause: str
    redirected_to: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the story: an event (`what` is its name), or a call with its legs and recordings."""

    at: datetime
    what: str
    who: str = ""
    why: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    legs: tuple[Leg, ...] = ()
    recordings: tuple[Recording, ...] = ()


def story(order: Order, events: Iterable[dict[str, Any]], calls: Iterable[dict[str, Any]]) -> list[Entry]:
    """Return what happened to an order, oldest first."""
    entries = [_of_event(event) for event in events if event.get("payload", {}).get("note") not in _SILENT]
    if not entries:  # events may have been forgotten before the order is
        entries = [Entry(order.opened_at, "opened", fields={"outcome": "", "unit_id": ""})]
    calls = list(calls)
    by_path = {recording.path: recording for recording in recordings(order, calls)}
    entries += [_of_call(call, by_path) for call in calls]
    return sorted(entries, key=lambda one: one.at)


def recordings(order: Order, calls: Iterable[dict[str, Any]]) -> list[Recording]:
    """Return the recordings of an order, messages first, each once; those of calls of other orders never."""
    by_path: dict[str, Recording] = {}
    calls = list(calls)
    cut = cut_recordings(calls)

    def add(path: str, label: str, at: datetime | None) -> None:
        if path and path not in by_path:
            by_path[path] = Recording(sha256(path.encode()).hexdigest()[:16], path, label, at, path in cut)

    add(order.message_path, "message", order.opened_at)
    for merged in order.merged_calls:
        add(merged.message_path, "message", merged.opened_at)
    for path in order.messages:
        add(path, "message", None)
    for attempt in order.attempts:
        if attempt.evidence is not None:
            add(attempt.evidence.recording, "talk", attempt.evidence.talk_began_at or attempt.begun_at)
    for call in calls:
        for path in call.get("recordings", ()):
            add(path, "talk", _instant(call.get("answered_at") or call.get("offered_at")))
    return list(by_path.values())


def _of_event(event: Mapping[str, Any]) -> Entry:
    payload = event.get("payload", {})
    what = payload.get("event") or payload.get("note") or event["type"].removeprefix("order_")
    fields = {"state_from": payload.get("state_from", ""), "state_to": payload.get("state_to", "")}
    fields["unit_id"] = payload.get("changes", {}).get("unit_id", "")
    fields["outcome"] = (payload.get("attempt") or {}).get("outcome", "")
    at = in_shanghai(datetime.fromisoformat(event["at"]))
    return Entry(at, str(what), str(payload.get("who") or ""), str(payload.get("why", "")), fields)


def _of_call(call: Mapping[str, Any], by_path: Mapping[str, Recording]) -> Entry:
    legs = tuple(leg_of(leg) for leg in call.get("legs", ()))
    heard = tuple(by_path[path] for path in call.get("recordings", ()) if path in by_path)
    direction = call.get("direction", "in")
    fields = {
        "call_id": call["call_id"], "outcome": call.get("outcome", ""), "cause": call.get("cause", ""),
        "direction": direction if direction in _TALK else "in", "two_way_s": float(call.get("two_way_s") or 0.0),
        "ended_at": _instant(call.get("ended_at")),
    }  # fmt: skip
    at = _instant(call["offered_at"])
    assert at is not None
    return Entry(at, "call", fields=fields, legs=legs, recordings=heard)


def leg_of(leg: Mapping[str, Any]) -> Leg:
    """Return a leg of a call's record."""
    started, answered = _instant(leg.get("started_at")), _instant(leg.get("answered_at"))
    ended = _instant(leg.get("ended_at"))
    rung_until = answered or ended
    rang_s = (rung_until - started).total_seconds() if started and rung_until else None
    return Leg(
        leg.get("role", ""), str(leg.get("number", "")), leg.get("name", ""), started, answered,
        _instant(leg.get("accepted_at")), ended, rang_s, float(leg.get("two_way_s") or 0.0),
        int(leg.get("sip_status") or 0), leg.get("cause", ""), leg.get("redirected_to", ""),
    )  # fmt: skip


def _instant(text: str | None) -> datetime | None:
    return in_shanghai(datetime.fromisoformat(text)) if text else None
