"""The report a supervisor can answer for: pure figures over orders, calls and surveys."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar

from callback_scheduler.causes import Moment, cause
from callback_scheduler.compliance import Facts, Rule, Verdict, milliseconds
from callback_scheduler.figures import ErrorBudget
from callback_scheduler.report_calls import (
    THREE_WAY_GOAL_PERCENT,
    CallFacts,
    CallTally,
    SurveyFacts,
    tally_calls,
    total_calls,
)
from callback_scheduler.report_orders import By, Judged, Rows, judged, tally, total
from routing.clock import SHANGHAI
from routing.working_time import WorkingTime, day_of, number_of, start_of

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: orders due, and calls made, on the days from `since` to `until` (None: no end), seen at `at`.

    A row holds the same orders under every rule, namely those whose own deadline falls into it: only then do two rules
    compare. `unit_id` "" means all units.
    """

    at: datetime
    rule: Rule
    since: date
    until: date | None = None
    unit_id: str = ""
    by: By = By.UNIT


class Material(NamedTuple):
    """What the store knows, each gone through once; more than was asked for does no harm."""

    orders: Iterable[Facts]
    calls: Iterable[CallFacts]
    surveys: Iterable[SurveyFacts]


@dataclass(frozen=True, slots=True)
class Miss:
    """An order that is late or missed: why, and what happened to it."""

    facts: Facts
    verdict: Verdict
    due_ms: int  # under the rule of the report
    at_ms: int
    timeline: tuple[Moment, ...] = ()

    @property
    def due_at(self) -> datetime:
        """Return by when it should have been settled."""
        return _instant(self.due_ms)

    @property
    def cause(self) -> str:
        """Return why it was not, in one Chinese sentence; put together when asked for, since most are only counted."""
        return cause(self.facts, self.verdict, self.at_ms, self.due_ms)

    def as_fields(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "order_id": self.facts.order_id,
            "unit_id": self.facts.unit_id,
            "counted_as": self.facts.counted_as,
            "opened_at": _instant(self.facts.opened_ms).isoformat(),
            "due_at": self.due_at.isoformat(),
            "verdict": self.verdict.value,
            "cause": self.cause,
            "timeline": [{"at": moment.at.isoformat(), "what": moment.what} for moment in self.timeline],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The answer; rows are by `question.by`, and those of orders apart for each of COUNTED_AS."""

    question: Question
    orders: dict[str, Rows]
    calls: dict[str, CallTally]
    budget_today: ErrorBudget
    budget: ErrorBudget
    misses: tuple[Miss, ...]  # latest deadline first
    calls_since: datetime | None  # the first call known of the period
    judged: Sequence[Judged] = ()  # every order counted, with its class: what is behind each figure

    def as_fields(self) -> dict[str, Any]:
        """Return it for JSON; instants ISO 8601, every rate with numerator and denominator."""
        asked = self.question
        orders = {
            counted_as: {
                "rows": {name: row.as_fields() for name, row in rows.items()},
                "total": total(rows).as_fields(),
            }
            for counted_as, rows in self.orders.items()
        }
        return {
            "at": asked.at.isoformat(),
            "from": asked.since.isoformat(),
            "to": asked.until.isoformat() if asked.until else None,
            "unit": asked.unit_id or None,
            "by": asked.by.value,
            "rule": asked.rule.name,
            "orders": orders,
            "calls": {
                "since": self.calls_since.isoformat() if self.calls_since else None,
                "rows": {name: row.as_fields() for name, row in self.calls.items()},
                "total": total_calls(self.calls).as_fields(),
            },
            "error_budget": {"today": self.budget_today.as_fields(), "period": self.budget.as_fields()},
            "misses": [miss.as_fields() for miss in self.misses],
        }


def make_report(question: Question, material: Material, working: WorkingTime, units: Mapping[str, str]) -> Report:
    """Return the report; `units` are names by unit_id, in the order in which their rows shall stand."""
    at_ms = milliseconds(question.at)
    # counted as they are read: Redis looks for the next ones meanwhile
    orders: list[Judged] = []
    calls: list[CallFacts] = []
    asked = _kept(orders, judged(_orders_asked(question, material.orders, at_ms), at_ms, question.rule))
    order_rows = tally(asked, at_ms, question.by, working)
    calls_asked, surveys_asked = _calls_asked(question, material, at_ms)
    call_rows = _ordered(tally_calls(_kept(calls, calls_asked), surveys_asked, question.by), units)
    today_ms = start_of(day_of(at_ms))
    return Report(
        question=question,
        orders={counted_as: _ordered(rows, units) for counted_as, rows in order_rows.items()},
        calls=call_rows,
        budget_today=_budget(tally_calls((call for call in calls if call.offered_ms >= today_ms), (), By.UNIT)),
        budget=_budget(call_rows),
        misses=tuple(_misses(orders, at_ms)),
        calls_since=_instant(min(call.offered_ms for call in calls)) if calls else None,
        judged=orders,
    )


def _kept(kept: list[_T], items: Iterable[_T]) -> Iterator[_T]:
    """Yield the items, and keep each."""
    for item in items:
        kept.append(item)
        yield item


def _between(question: Question, at_ms: int) -> tuple[int, int]:
    """Return the first instant of the period, and the first behind it; what comes after `at_ms` is not known yet."""
    until = start_of(number_of(question.until) + 1) if question.until else sys.maxsize
    return start_of(number_of(question.since)), min(until, at_ms + 1)


def _orders_asked(question: Question, orders: Iterable[Facts], at_ms: int) -> Iterator[Facts]:
    """Yield the orders of the period by their own deadline, under whatever rule."""
    first_ms, _ = _between(question, at_ms)
    _, until_ms = _between(question, sys.maxsize)
    unit_id = question.unit_id
    return (
        facts for facts in orders
        if facts.opened_ms <= at_ms and first_ms <= facts.due_ms < until_ms and unit_id in ("", facts.unit_id)
    )  # fmt: skip


def _calls_asked(
    question: Question, material: Material, at_ms: int
) -> tuple[Iterator[CallFacts], Iterator[SurveyFacts]]:
    first_ms, until_ms = _between(question, at_ms)
    unit_id = question.unit_id
    return (
        (one for one in material.calls if first_ms <= one.offered_ms < until_ms and unit_id in ("", one.unit_id)),
        (one for one in material.surveys if first_ms <= one.at_ms < until_ms and unit_id in ("", one.unit_id)),
    )


def _ordered(rows: dict[str, Any], units: Mapping[str, str]) -> dict[str, Any]:
    """Return rows of units in the order of the directory, others by name, which for days is by time."""
    places = {unit_id: place for place, unit_id in enumerate(units)}
    return {name: rows[name] for name in sorted(rows, key=lambda name: (places.get(name, len(places)), name))}


def _budget(rows: Mapping[str, CallTally]) -> ErrorBudget:
    return ErrorBudget(THREE_WAY_GOAL_PERCENT, total_calls(rows).rates()["three_way_rate"])


def _misses(orders: Iterable[Judged], at_ms: int) -> list[Miss]:
    found = [
        Miss(facts, verdict, due_ms, at_ms)
        for facts, due_ms, verdict, _ in orders
        if verdict is Verdict.LATE or verdict is Verdict.MISSED
    ]
    return sorted(found, key=lambda miss: (miss.due_ms, miss.facts.order_id), reverse=True)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI)
