"""What an event of the journal adds to the facts that reports count: judged here, stored by apply.lua."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callback_scheduler.orders.call_facts import CallFacts, call_facts
from callback_scheduler.orders.fields import attempt_of
from callback_scheduler.orders.verdict import Try, instant_ms, try_of

_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
_INSTANTS = {"acknowledged_at": "acknowledged_ms", "self_reported_at": "self_reported_ms"}


def order_facts_in(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an `order_opened`, `order_changed` or `order_noted` says about the order's `verdict.Facts`.

    By name, only what it tells: `opened_ms`, `acknowledged_ms` and `self_reported_ms` (milliseconds since the epoch, 0
    for an instant that is empty now), `try` (a `verdict.Try`) of the attempt it brings. Nothing is raised: an event
    that cannot be read must not keep those behind it from Redis.
    """
    facts: dict[str, Any] = {}
    if "opened_at" in payload:
        facts["opened_ms"] = instant_ms(payload["opened_at"])
    changes = payload.get("changes")
    if isinstance(changes, Mapping):
        facts |= {name: instant_ms(changes[field]) for field, name in _INSTANTS.items() if field in changes}
    attempt = payload.get("attempt")
    if isinstance(attempt, Mapping):
        facts["try"] = _try_in(attempt)
    return facts


def _try_in(fields: Mapping[str, Any]) -> Try:
    try:
        return try_of(attempt_of(fields))
    except _UNREADABLE:
        return Try(instant_ms(fields.get("begun_at")), 0, 0, False, str(fields.get("outcome")))


def call_facts_in(record: Mapping[str, Any]) -> CallFacts | None:
    """Return the facts in the payload of a `call_ended`; None if it is not the record of a call."""
    try:
        return call_facts(record)
    except _UNREADABLE:
        return None
