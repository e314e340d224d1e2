"""Today's ring: how many orders are due by ten, and what has become of them, as parts of a circle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import pi

from callback_scheduler.orders.verdict import Verdict
from callback_scheduler.reports.orders import Rows, total

RADIUS = 54
_AROUND = 2 * pi * RADIUS
# the pending ones last: the gap that closes
SHOWN = (
    Verdict.ON_TIME, Verdict.SELF_REPORTED, Verdict.ATTEMPTED, Verdict.LATE, Verdict.MISSED, Verdict.NOT_YET_DUE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arc:
    """A part of the ring: `dash` and `offset` are SVG's stroke-dasharray and -offset."""

    verdict: Verdict
    count: int
    dash: str
    offset: str


@dataclass(frozen=True, slots=True)
class Ring:
    """Today's orders; `next_due_at` is the next deadline that any of them waits for, None if all are past."""

    count: int
    arcs: tuple[Arc, ...]
    counts: Mapping[Verdict, int]
    next_due_at: datetime | None
    waiting: int  # for that deadline


def ring(orders: Mapping[str, Rows], due: list[datetime], now: datetime) -> Ring:
    """Return the ring of the orders of a report of one day; `due` are the deadlines of those still owed."""
    counts = {verdict: sum(total(rows).verdicts[verdict] for rows in orders.values()) for verdict in SHOWN}
    count, begun, arcs = sum(counts.values()), 0.0, []
    for verdict in SHOWN:
        if counts[verdict]:
            length = _AROUND * counts[verdict] / count
            arcs.append(Arc(verdict, counts[verdict], f"{length:.2f} {_AROUND - length:.2f}", f"{-begun:.2f}"))
            begun += length
    ahead = sorted(at for at in due if at > now)
    return Ring(count, tuple(arcs), counts, ahead[0] if ahead else None, ahead.count(ahead[0]) if ahead else 0)
