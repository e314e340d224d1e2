"""Says why this node should not be sent a call now, and what an operator must look at; nothing here asks anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_JOURNAL_STUCK = 1000  # events that wait for the disk
# So long no call is sent here; the next one is the trial.
_JOURNAL_FAILING_S = 60.0
REASONS = (
    "draining", "door.closed", "trunks.none_registered", "lines.none", "lines.all_in_use", "lines.cannot_fork",
    "journal.closed", "journal.stuck", "journal.failing", "disk.full", "redis.away", "redis.lost_orders",
    "node_number.taken", "timetable.behind", "clock",
)  # fmt: skip
# A sweep is late when so many should have been made since the last whole one, and a minute has passed.
_SWEEPS_MISSED, _LATE_S = 3, 60.0
# What the wall does not show by itself, and somebody must see to.
_OF_THESE = (
    "lines.cannot_fork", "journal.stuck", "journal.failing", "disk.full", "redis.lost_orders", "node_number.taken",
    "timetable.behind",
)  # fmt: skip
ALARMS = (*_OF_THESE, "timetable.undialled", "redis.may_evict")
# An order that is due was not tried once for so long: too few lines, or nothing ran. The node is as ready
# as any other that shares the orders, so this is no reason to send it no calls.
_UNDIALLED_S = 600.0


def why_not_ready(status: Mapping[str, Any]) -> list[str]:
    """Return which of REASONS hold in a status of the node (see `Operations.status`), in their order."""
    wrong = {reason for reasons in (_of_calls(status), _of_what_is_owed(status)) for reason, holds in reasons if holds}
    return [reason for reason in REASONS if reason in wrong]


def alarms(status: Mapping[str, Any]) -> list[str]:
    """Return which of ALARMS hold in a status of the node."""
    wrong = {*why_not_ready(status)}
    if status["ledger"].get("redis", {}).get("may_evict", False):
        wrong.add("redis.may_evict")
    if status["timetable"].get("oldest_undialled_s", 0.0) > _UNDIALLED_S:
        wrong.add("timetable.undialled")
    return [alarm for alarm in ALARMS if alarm in wrong]


def _of_calls(status: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    trunks, lines = dict(status["trunks"]), status["lines"]
    yield "draining", bool(status["drain"]["is_draining"])
    yield "door.closed", not status["door"].get("listen")
    states = [trunk.get("state") for trunk in trunks.values()]
    yield "trunks.none_registered", bool(states) and "registered" not in states
    has_lines, is_failing = lines.get("total", 0) > 0, bool(lines.get("is_failing", 0))
    # where no line is kept ready, one is born for who comes
    can_grow = bool(lines.get("can_grow", 0))
    yield "lines.none", not has_lines and not can_grow
    yield "lines.all_in_use", has_lines and lines.get("free", 0) <= 0 and not can_grow
    yield "lines.cannot_fork", is_failing


def _of_what_is_owed(status: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    ledger, disk = status["ledger"], status.get("disk", {})
    journal, redis = ledger.get("journal", {}), ledger.get("redis", {})
    yield "journal.closed", not journal.get("journal_id")
    yield "journal.stuck", journal.get("queued", 0) > _JOURNAL_STUCK
    failed_s_ago = journal.get("failed_s_ago")
    yield "journal.failing", failed_s_ago is not None and failed_s_ago < _JOURNAL_FAILING_S
    yield "disk.full", disk.get("free_mb", 0) < disk.get("least_free_mb", 0)
    yield "redis.away", not redis.get("is_up", False)
    yield "redis.lost_orders", redis.get("orders_lost", 0) > 0
    yield "node_number.taken", bool(ledger.get("node_number_taken_by"))
    yield "clock", bool(status["timetable"].get("is_clock_doubted", False))
    timetable = status["timetable"]
    late_s = max(_LATE_S, _SWEEPS_MISSED * timetable.get("sweep_every_s", 0.0))
    yield "timetable.behind", (timetable.get("swept_s_ago") or 0.0) > late_s
