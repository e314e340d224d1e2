"""Orders counted: each in exactly one class, in the row of its unit, day or month."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

from callback_scheduler.orders.verdict import Facts, Rule, Stage, Verdict, first_talk_ms, judge, stage
from callback_scheduler.reports.figures import Rate, percentile
from routing.working_time import MINUTE_MS, WorkingTime, date_of, day_of

COUNTED_AS = ("after_hours", "missed_in_hours", "online")


class By(Enum):
    """What a row of a report stands for."""

    UNIT = "unit"
    DAY = "day"
    MONTH = "month"


@dataclass
class OrderTally:
    """What the orders of one row came to; waits are milliseconds from the call to the first evidenced talk.

    The rate is over orders whose deadline has passed: those settled before it are in `on_time`, and in the rate only
    once it has, or every morning would begin with 100 %.
    """

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    stages: Counter[Stage] = field(default_factory=Counter)
    due: int = 0
    on_time_of_due: int = 0
    waits_ms: list[int] = field(default_factory=list)
    working_waits_ms: list[int] = field(default_factory=list)

    @property
    def orders(self) -> int:
        """How many orders there are, those merged into others not counted."""
        return self.verdicts.total() - self.verdicts[Verdict.MERGED]

    @property
    def on_time_rate(self) -> Rate:
        """次紧急按时回复率: first evidenced talk before the deadline / orders due."""
        return Rate(self.on_time_of_due, self.due)

    def merged_with(self, other: OrderTally) -> OrderTally:
        """Return both counted together."""
        return OrderTally(
            self.verdicts + other.verdicts,
            self.stages + other.stages,
            self.due + other.due,
            self.on_time_of_due + other.on_time_of_due,
            self.waits_ms + other.waits_ms,
            self.working_waits_ms + other.working_waits_ms,
        )

    def as_fields(self) -> dict[str, Any]:
        """Return the figures for JSON; minutes with one decimal."""
        return {
            "orders": self.orders,
            **{verdict.value: self.verdicts[verdict] for verdict in Verdict},
            "due": self.due,
            "on_time_rate": self.on_time_rate.as_fields(),
            "funnel": {reached.value: self.stages[reached] for reached in Stage},
            "first_contact": self.first_contact(),
        }

    def first_contact(self) -> dict[str, Any]:
        """Return p50 and p90 of the time to the first evidenced talk: minutes by the wall clock, and working ones."""
        wall, working = sorted(self.waits_ms), sorted(self.working_waits_ms)
        return {
            "contacted": len(wall),
            "wall_p50_min": _minutes(percentile(wall, 50)),
            "wall_p90_min": _minutes(percentile(wall, 90)),
            "working_p50_min": _minutes(percentile(working, 50)),
            "working_p90_min": _minutes(percentile(working, 90)),
        }


def _minutes(ms: int | None) -> float | None:
    return None if ms is None else round(ms / MINUTE_MS, 1)


Rows = dict[str, OrderTally]


def key_of(by: By) -> Callable[[Facts], str]:
    """Return what names the row of an order: its unit, or day or month of its own deadline, under whatever rule."""
    return (lambda facts: facts.unit_id) if by is By.UNIT else (lambda facts: _period(by, day_of(facts.due_ms)))


def period_of(by: By, at_ms: int) -> str:
    """Return the day (2026-03-04) or month (2026-03) of an instant in Shanghai."""
    return _period(by, day_of(at_ms))


@cache
def _period(by: By, day: int) -> str:
    on = date_of(day).isoformat()
    return on if by is By.DAY else on[:7]


class Judged(NamedTuple):
    """An order, its deadline under the rule that is asked for, its class under it, and when it was first talked about.

    `talk_ms` is 0 if it was not.
    """

    facts: Facts
    due_ms: int
    verdict: Verdict
    talk_ms: int


def judged(orders: Iterable[Facts], at_ms: int, rule: Rule) -> Iterator[Judged]:
    """Yield each order with its class at `at_ms` under `rule`."""
    due_ms = rule.due_ms
    return (
        Judged(facts, due := due_ms(facts), judge(facts, at_ms, due, talk_ms := first_talk_ms(facts, at_ms)), talk_ms)
        for facts in orders
    )


def tally(orders: Iterable[Judged], at_ms: int, by: By, working: WorkingTime) -> dict[str, Rows]:
    """Return for each of COUNTED_AS the rows of its orders."""
    found: dict[tuple[str, str], _Seen] = defaultdict(_Seen)
    key = key_of(by)
    for facts, due_ms, verdict, talk_ms in orders:
        seen = found[facts.counted_as, key(facts)]
        seen.verdicts.append(verdict)
        if verdict is Verdict.MERGED:
            continue
        if due_ms <= at_ms:
            seen.due.append(verdict)
        if talk_ms:
            seen.waits_ms.append(talk_ms - facts.opened_ms)
            seen.working_waits_ms.append(working.between_ms(facts.opened_ms, talk_ms, facts.unit_id))
        else:
            seen.stages_without_talk.append(stage(facts, at_ms))
    rows: dict[str, Rows] = {counted_as: {} for counted_as in COUNTED_AS}
    for (counted_as, name), seen in found.items():
        rows[counted_as][name] = seen.tally()
    return rows


@dataclass(slots=True)
class _Seen:
    """The orders of one row, gone through once; to list them is cheaper than to count them one by one."""

    verdicts: list[Verdict] = field(default_factory=list)
    due: list[Verdict] = field(default_factory=list)
    stages_without_talk: list[Stage] = field(default_factory=list)
    waits_ms: list[int] = field(default_factory=list)
    working_waits_ms: list[int] = field(default_factory=list)

    def tally(self) -> OrderTally:
        """Return what they came to; the waits are in order, so that totals are put in order fast."""
        return OrderTally(
            Counter(self.verdicts),
            Counter({Stage.JOINED: len(self.waits_ms)}) + Counter(self.stages_without_talk),
            due=len(self.due),
            on_time_of_due=self.due.count(Verdict.ON_TIME),
            waits_ms=sorted(self.waits_ms),
            working_waits_ms=sorted(self.working_waits_ms),
        )


def total(rows: Rows) -> OrderTally:
    """Return all rows counted together."""
    whole = OrderTally()
    for row in rows.values():
        whole = whole.merged_with(row)
    return whole
