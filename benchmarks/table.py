"""The table of a benchmark: what was measured, what was wanted, and whether it was met."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.conversations import Batch, median, percentile, told

ANSWER_MS, KEY_MS, TWO_PARTY_PERCENT, THREE_WAY_PERCENT, LINE_MB, ORDERS_PER_S = 20.0, 15.0, 0.6, 0.8, 12.0, 300.0


@dataclass(frozen=True)
class Row:
    """One line of the table; `is_met` is None where nothing was wanted."""

    what: str
    measured: str
    target: str
    is_met: bool | None

    @property
    def verdict(self) -> str:
        """Return the last column."""
        return {True: "met", False: "MISSED", None: ""}[self.is_met]


@dataclass
class Figures:
    """All that was measured: batches with recording on, batches with it off, orders."""

    two_party: list[Batch]
    three_way: list[Batch]
    two_party_unrecorded: list[Batch]
    three_way_unrecorded: list[Batch]
    orders: dict[str, Any]

    @property
    def batches(self) -> list[Batch]:
        return [*self.two_party, *self.three_way, *self.two_party_unrecorded, *self.three_way_unrecorded]

    @property
    def failures(self) -> list[str]:
        """Return a reason for each conversation that failed."""
        return [reason for batch in self.batches for reason in batch.failures]

    @property
    def cpu_is_missed(self) -> bool:
        """Tell whether a CPU target was missed."""
        return any(row.is_met is False for row in (
            *_cpu("", self.two_party, TWO_PARTY_PERCENT), *_cpu("", self.three_way, THREE_WAY_PERCENT)
        ))  # fmt: skip

    def rows(self) -> list[Row]:
        """Return the table."""
        return [
            self._at_once(),
            _latency("answer: INVITE sent → 200 OK", [s for b in self.batches for s in b.answer_s], ANSWER_MS),
            _latency("seat's # by SIP INFO → specialist INVITE", [s for b in self.batches for s in b.key_info_s],
                     KEY_MS),
            _latency("seat's # by RFC 4733 → specialist INVITE", [s for b in self.batches for s in b.key_rfc4733_s],
                     KEY_MS),
            *_cpu("two-party conversation, recorded", self.two_party, TWO_PARTY_PERCENT),
            *_cpu("three-way conversation, recorded", self.three_way, THREE_WAY_PERCENT),
            *_cpu("two-party conversation, not recorded", self.two_party_unrecorded, None),
            *_cpu("three-way conversation, not recorded", self.three_way_unrecorded, None),
            self._memory(),
            self._orders(),
        ]

    def _at_once(self) -> Row:
        most = max((batch.wanted for batch in self.batches), default=0)
        wanted, failures = sum(batch.wanted for batch in self.batches), self.failures
        measured = f"{most} at once, {len(failures)} of {wanted} failed"
        if failures:
            measured += f" ({told(failures)})"
        return Row("conversations with RTP both ways on every leg", measured, "0 failed", not failures)

    def _memory(self) -> Row:
        per_line = [mb for batch in (*self.two_party, *self.three_way) for mb in batch.line_mb]
        most = max(per_line, default=math.nan)
        return Row("private memory of a line", f"median {median(per_line):.1f} MB, max {most:.1f} MB",
                   f"max ≤ {LINE_MB:.0f} MB", most <= LINE_MB)

    def _orders(self) -> Row:
        orders = self.orders
        measured = (
            f"{orders['orders_per_s']:.0f}/s with {orders['callers']} callers at once"
            f" (p95 {orders['p95_ms']:.0f} ms), {orders['one_caller_orders_per_s']:.0f}/s with one"
        )
        return Row("orders through journal + Redis, fsync each", measured, f"≥ {ORDERS_PER_S:.0f}/s",
                   orders["orders_per_s"] >= ORDERS_PER_S)

    def as_json(self) -> dict[str, Any]:
        """Return rows and raw figures."""
        return {
            "rows": [asdict(row) | {"verdict": row.verdict} for row in self.rows()],
            "orders": self.orders,
            "batches": [asdict(batch) | {"cpu_percent": batch.cpu_percent()} for batch in self.batches],
        }


def _latency(what: str, seconds: list[float], most_ms: float) -> Row:
    p50, p95, top = (1000 * percentile(seconds, percent) for percent in (50, 95, 100))
    measured = f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, max {top:.1f} ms (n = {len(seconds)})"
    return Row(what, measured, f"p95 ≤ {most_ms:.0f} ms", p95 <= most_ms if seconds else False)


def _cpu(what: str, batches: list[Batch], most: float | None) -> list[Row]:
    if not batches:
        return []
    each = [batch.cpu_percent() for batch in batches]
    parts = ", ".join(
        f"{role} {median([batch.cpu_percent(role) for batch in batches]):.2f}" for role in ("lines", "node", "redis")
    )
    spread = f", {min(each):.2f}–{max(each):.2f} in {len(each)} runs" if len(each) > 1 else ""
    measured = f"{median(each):.2f} % ({parts}{spread})"
    target = "" if most is None else f"≤ {most:.1f} % of a core"
    return [Row(f"CPU of a {what}", measured, target, None if most is None else round(median(each), 2) <= most)]


def printed(rows: list[Row]) -> str:
    """Return the table as text."""
    widths = [max(len(getattr(row, column)) for row in rows) for column in ("what", "measured", "target")]
    return "\n".join(
        f"{row.what:<{widths[0]}}  {row.measured:<{widths[1]}}  {row.target:<{widths[2]}}  {row.verdict}".rstrip()
        for row in rows
    )
