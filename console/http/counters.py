"""What /metrics counts since the node started: calls by what they came to, and how long callers waited for a person."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from ivr.calls.cdr import CallOutcome, Direction, TransferResult
from node.operations.happenings import Topic
from node.operations.interfaces import Operations

# a second series for each counter, which nobody asks for
disable_created_metrics()  # type: ignore[no-untyped-call]
_WAITING_AT_MOST = 5000
_TRIES = 5
_ANSWER_S = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300)
_TALK_S = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600)


class Metrics:
    """Counters of calls. A call's record is read when figures are asked for: its end is told before it is on disk."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "hotline_calls", "Calls that ended, by who began them and what they came to.",
            ("direction", "outcome"), registry=self.registry,
        )  # fmt: skip
        self._transfers = Counter(
            "hotline_transfers", "Three-way transfers begun in working hours, by their result.",
            ("result",), registry=self.registry,
        )  # fmt: skip
        self._answers = Histogram(
            "hotline_answer_seconds", "From asking for a person to a person who answers.",
            buckets=_ANSWER_S, registry=self.registry,
        )  # fmt: skip
        self._talks = Histogram(
            "hotline_talk_seconds", "Seconds of talk both ways in a call.", buckets=_TALK_S, registry=self.registry
        )
        for outcome in CallOutcome:  # known from the start, so that the first of a kind is seen as an increase
            self._calls.labels(Direction.IN.value, outcome.value)
        self._ended: deque[tuple[str, int]] = deque(maxlen=_WAITING_AT_MOST)

    def hear(self, topic: Topic, fields: Mapping[str, Any]) -> None:
        """Note a call that ended."""
        if topic is Topic.CALL and fields.get("what") == "ended" and fields.get("call_id"):
            self._ended.append((str(fields["call_id"]), 0))

    async def catch_up(self, operations: Operations) -> None:
        """Count the calls that ended; one whose record is not there yet is looked for again, some times."""
        waiting, self._ended = self._ended, deque(maxlen=_WAITING_AT_MOST)
        while waiting:
            call_id, tries = waiting.popleft()
            try:
                record = await operations.call(call_id)
            except Exception:
                self._ended.extend([(call_id, tries), *waiting])
                raise
            if record is not None and record.get("ended_at"):
                self.count(record)
            elif tries < _TRIES:
                self._ended.append((call_id, tries + 1))

    def count(self, record: Mapping[str, Any]) -> None:
        """Count one call by its record."""
        direction = _known(Direction, record.get("direction", Direction.IN.value))
        self._calls.labels(direction, _known(CallOutcome, record.get("outcome"))).inc()
        result = _known(TransferResult, record.get("transfer", "none"))
        if result != TransferResult.NONE.value:
            self._transfers.labels(result).inc()
        asked_at, answered_at = record.get("asked_for_person_at"), record.get("person_answered_at")
        if asked_at and answered_at:
            waited = datetime.fromisoformat(answered_at) - datetime.fromisoformat(asked_at)
            self._answers.observe(waited.total_seconds())
        if record.get("two_way_s"):
            self._talks.observe(float(record["two_way_s"]))


def _known(kind: Any, value: object) -> str:
    """Return a value of an enum; labels never hold anything else."""
    return str(value) if value in {one.value for one in kind} else "unknown"
