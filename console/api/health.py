"""/healthz and /readyz: whether the process answers, and whether this node can take a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from console.api.declared import Answer, Operation, document
from console.http.messages import JSON, Response
from console.http.routes import route
from console.visit import Visit
from node.operations.readiness import why_not_ready


class Healthy(Answer):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """Whether a call can be taken now, and how far callbacks are behind."""

    is_ready: bool
    swept_s_ago: float | None = Field(description="Seconds since the last whole look at what is due; null before it.")
    oldest_undialled_s: float = Field(
        description="For how long the oldest order that is due has waited for its first try; no reason by itself."
    )
    reasons: list[str] = Field(
        description="Why not: draining, door.closed, trunks.none_registered, lines.none, lines.all_in_use, "
        "lines.cannot_fork, journal.closed, journal.stuck, journal.failing (the disk refused an event within the last "
        "minute), disk.full, redis.away, redis.lost_orders, node_number.taken, timetable.behind (no whole sweep for a "
        "minute and three turns), clock. Without Redis callers are still served and orders are on disk, but nobody can "
        "be shown or dialled, so another node should take the calls where there is one. clock: it has jumped by more "
        "than two hours since the node was started; no reminder is given and no breach frozen until it is right again, "
        "or the node was started anew by a clock that is."
    )


@route("/healthz", is_public=True, is_impersonal=True)
async def healthz(visit: Visit) -> Response:
    """Answered as long as the process can answer anything; nothing else is looked at."""
    return Response(200, Healthy().model_dump_json().encode(), JSON)


@route("/readyz", is_public=True, is_impersonal=True)
async def readyz(visit: Visit) -> Response:
    """200 if door, trunks, lines, journal, Redis and clock are as they must be; 503 with the reasons if not."""
    status = visit.operations.status()
    reasons, timetable = why_not_ready(status), status["timetable"]
    readiness = Readiness(
        is_ready=not reasons, reasons=reasons,
        swept_s_ago=timetable.get("swept_s_ago"), oldest_undialled_s=timetable.get("oldest_undialled_s", 0.0),
    )  # fmt: skip
    return Response(503 if reasons else 200, readiness.model_dump_json().encode(), JSON)


def _document(handler: Any, summary: str, answer: type[Answer], also: Mapping[int, type[Answer]]) -> None:
    declared = Operation(
        handler.__name__, summary, (handler.__doc__ or "").strip(), "watching", answer, also=also
    )  # fmt: skip
    document(handler, declared)


_document(healthz, "Whether the process answers", Healthy, {})
_document(readyz, "Whether this node can take a call", Readiness, {503: Readiness})
