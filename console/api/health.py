"""/healthz and /readyz: whether the process answers, and whether this node can take a call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from console.api.declared import Answer, Operation, document
from console.http.messages import JSON, Response
from console.http.routes import route
from console.visit import Visit

_JOURNAL_STUCK = 1000  # events that wait for the disk


class Healthy(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """Whether a call can be taken now."""

    is_ready: bool
    reasons: list[str] = Field(
        description="Why not: door.closed, trunks.none_registered, lines.none, lines.all_in_use, journal.closed, "
        "journal.stuck, redis.away, node_number.taken. Without Redis callers are still served and orders are on disk, "
        "but nobody can be shown or dialled, so another node should take the calls where there is one."
    )


@dataclass(frozen=True, slots=True)
class _Check:
    reason: str
    is_wrong: bool


@route("/healthz", is_public=True, is_impersonal=True)
async def healthz(visit: Visit) -> Response:
    """Answered as long as the process can answer anything; nothing else is looked at."""
    return Response(200, Healthy().model_dump_json().encode(), JSON)


@route("/readyz", is_public=True, is_impersonal=True)
async def readyz(visit: Visit) -> Response:
    """200 if door, trunks, lines, journal and Redis are as they must be for a call; 503 with the reasons if not."""
    reasons = [check.reason for check in _checks(visit.operations.status()) if check.is_wrong]
    readiness = Readiness(is_ready=not reasons, reasons=reasons)
    return Response(503 if reasons else 200, readiness.model_dump_json().encode(), JSON)


def _checks(status: Mapping[str, Any]) -> Iterator[_Check]:
    trunks, lines, ledger = dict(status["trunks"]), status["lines"], status["ledger"]
    journal = ledger.get("journal", {})
    yield _Check("door.closed", not status["door"].get("listen"))
    states = [trunk.get("state") for trunk in trunks.values()]
    yield _Check("trunks.none_registered", bool(states) and "registered" not in states)
    has_lines = lines.get("total", 0) > 0
    yield _Check("lines.none", not has_lines)
    yield _Check("lines.all_in_use", has_lines and lines.get("free", 0) <= 0)
    yield _Check("journal.closed", not journal.get("journal_id"))
    yield _Check("journal.stuck", journal.get("queued", 0) > _JOURNAL_STUCK)
    yield _Check("redis.away", not ledger.get("redis", {}).get("is_up", False))
    yield _Check("node_number.taken", bool(ledger.get("node_number_taken_by")))


def _document(handler: Any, summary: str, answer: type[Answer], also: Mapping[int, type[Answer]]) -> None:
    declared = Operation(
        handler.__name__, summary, (handler.__doc__ or "").strip(), "watching", answer, also=also
    )  # fmt: skip
    document(handler, declared)


_document(healthz, "Whether the process answers", Healthy, {})
_document(readyz, "Whether this node can take a call", Readiness, {503: Readiness})
