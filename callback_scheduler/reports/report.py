"""The report a supervisor can answer for: pure figures over orders, calls and surveys."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple, TypeVar

from callback_scheduler.orders.call_facts import CallFacts, SurveyFacts
from callback_scheduler.orders.cause_words import CHINESE, CauseWords
from callback_scheduler.orders.causes import Moment, cause
from callback_scheduler.orders.verdict import Facts, Rule, Verdict, known_at, milliseconds
from callback_scheduler.reports.calls import THREE_WAY_GOAL_PERCENT, CallTally, tally_calls, total_calls
from callback_scheduler.reports.figures import ErrorBudget
from callback_scheduler.reports.orders import By, Judged, OrderTally, Rows, judged, tally, total
from routing.clock import SHANGHAI
from routing.working_time import WorkingTime, day_of, number_of, start_of

_Row = TypeVar("_Row", OrderTally, CallTally)


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
    def opened_at(self) -> datetime:
        """Return when the call came."""
        return _instant(self.facts.opened_ms)

    @property
    def due_at(self) -> datetime:
        """Return by when it should have been settled."""
        return _instant(self.due_ms)

    @property
    def cause(self) -> str:
        """Return why it was not, in one Chinese sentence; put together when asked for, since most are only counted."""
        return self.cause_in(CHINESE)

    def cause_in(self, words: CauseWords) -> str:
        """Return the same in another language."""
        return cause(self.facts, self.verdict, self.at_ms, self.due_ms, words)

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
    judged: Sequence[Judged] = ()  # orders counted, with their class: what is behind each figure, if that was asked for

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


@dataclass(slots=True)
class Counted:
    """What a report, or a part of it, was counted to."""

    orders: dict[str, Rows]
    calls: dict[str, CallTally]
    calls_today: CallTally
    first_call_ms: int | None
    kept: list[Judged]  # all orders, or only what was missed

    def merged_with(self, other: Counted) -> Counted:
        """Return both parts counted together; no order or call is in both."""
        first_ms = [part.first_call_ms for part in (self, other) if part.first_call_ms is not None]
        return Counted(
            {counted_as: _merged(rows, other.orders[counted_as]) for counted_as, rows in self.orders.items()},
            _merged(self.calls, other.calls),
            self.calls_today.merged_with(other.calls_today),
            min(first_ms, default=None),
            self.kept + other.kept,
        )


def make_report(question: Question, material: Material, working: WorkingTime, units: Mapping[str, str]) -> Report:
    """Return the report, with every order behind its figures.

    `units` are names by unit_id, in the order in which their rows shall stand.
    """
    counted = count(question, material, working)
    return replace(report_of(question, counted, units), judged=counted.kept)


def count(
    question: Question, material: Material, working: WorkingTime, keeps: Callable[[Judged], bool] = lambda one: True
) -> Counted:
    """Count orders, calls and surveys while they are read; keep the orders that shall be kept, or is_missed."""
    at_ms = milliseconds(question.at)
    orders = judged(_orders_asked(question, material.orders, at_ms), at_ms, question.rule)
    calls, surveys = _calls_asked(question, material, at_ms)
    kept: list[Judged] = []
    today = CallTally()
    first_ms: list[int] = []

    def with_today(calls: Iterable[CallFacts]) -> Iterator[CallFacts]:
        today_ms = start_of(day_of(at_ms))
        for call in calls:
            if not first_ms or call.offered_ms < first_ms[-1]:
                first_ms.append(call.offered_ms)
            if call.offered_ms >= today_ms:
                today.add_call(call)
            yield call

    order_rows = tally(_kept(kept, orders, keeps), at_ms, question.by, working)
    call_rows = tally_calls(with_today(calls), surveys, question.by)
    return Counted(order_rows, call_rows, today, first_ms[-1] if first_ms else None, kept)


def report_of(question: Question, counted: Counted, units: Mapping[str, str]) -> Report:
    """Return the report of what was counted."""
    calls = _ordered(counted.calls, units)
    first_ms = counted.first_call_ms
    return Report(
        question=question,
        orders={counted_as: _ordered(rows, units) for counted_as, rows in counted.orders.items()},
        calls=calls,
        budget_today=_budget({"": counted.calls_today}),
        budget=_budget(calls),
        misses=tuple(_misses(counted.kept, milliseconds(question.at))),
        calls_since=None if first_ms is None else _instant(first_ms),
    )


def is_missed(one: Judged) -> bool:
    """Whether an order is told of one by one: it is late or missed."""
    return one.verdict is Verdict.LATE or one.verdict is Verdict.MISSED


def _kept(kept: list[Judged], orders: Iterable[Judged], keeps: Callable[[Judged], bool]) -> Iterator[Judged]:
    for one in orders:
        if keeps(one):
            kept.append(one)
        yield one


def _merged(rows: Mapping[str, _Row], others: Mapping[str, _Row]) -> dict[str, _Row]:
    """Return the rows of both, those of one name counted together."""
    both = dict(rows)
    for name, row in others.items():
        both[name] = both[name].merged_with(row) if name in both else row
    return both

def _between(question: Question, at_ms: int) -> tuple[int, int]:
    """Return the first instant of the period, and the first behind it; what comes after `at_ms` is not known yet."""
    until = start_of(number_of(question.until) + 1) if question.until else sys.maxsize
    return start_of(number_of(question.since)), min(until, at_ms + 1)


def _orders_asked(question: Question, orders: Iterable[Facts], at_ms: int) -> Iterator[Facts]:
    """Yield the orders of the period by their own deadline, under whatever rule, as they were known then."""
    first_ms, _ = _between(question, at_ms)
    _, until_ms = _between(question, sys.maxsize)
    unit_id = question.unit_id
    return (
        facts for facts in (known_at(one, at_ms) if one.past else one for one in orders)
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
        Miss(one.facts, one.verdict, one.due_ms, at_ms)
        for one in orders
        if is_missed(one)
    ]
    return sorted(found, key=lambda miss: (miss.due_ms, miss.facts.order_id), reverse=True)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI)
