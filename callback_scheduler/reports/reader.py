"""Reads what a report asks from the store, in the short form that the store keeps for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from callback_scheduler.orders.call_facts import CallFacts, SurveyFacts
from callback_scheduler.orders.verdict import Facts, Past, Try, milliseconds
from callback_scheduler.reports.report import Material, Question, Report, make_report
from callback_scheduler.store.store import Store
from routing.clock import SHANGHAI
from routing.working_time import WorkingTime

# An order due on a day was opened on one before: ten days of a holiday with the weekends around it, twice over.
_OPENED_BEFORE_DUE = timedelta(days=30)
_EARLIEST, _LATEST = (datetime.combine(day, datetime.min.time(), SHANGHAI) for day in (date(1970, 1, 2), date.max))

_WITHOUT_PAST = len(Facts._fields) - 1

# What `_make` of a named tuple does, without a call of Python for each of 300,000.
_as_try: Callable[[list[Any]], Try] = partial(tuple.__new__, Try)
_as_past: Callable[[list[Any]], Past] = partial(tuple.__new__, Past)
_as_order: Callable[[list[Any]], Facts] = partial(tuple.__new__, Facts)
_as_call: Callable[[list[Any]], CallFacts] = partial(tuple.__new__, CallFacts)
_as_survey: Callable[[list[Any]], SurveyFacts] = partial(tuple.__new__, SurveyFacts)


def read_material(
    store: Store, since: date, at: datetime, after: datetime = _EARLIEST, before: datetime = _LATEST
) -> Material:
    """Return all orders that may be due on `since` or later, calls and surveys from then on, known by `at`.

    Only what began at `after` or later and before `before`, so that a report may be counted in parts. They are read
    when they are asked for, each once; that raises StoreUnavailable.
    """
    first = datetime.combine(since, datetime.min.time(), at.tzinfo)
    until = min(at + timedelta(milliseconds=1), before)
    since_call = max(first, after)
    return Material(
        orders=map(order_facts, store.records.facts("order", max(first - _OPENED_BEFORE_DUE, after), until)),
        calls=map(_as_call, store.records.facts("call", since_call, until)),
        surveys=map(_as_survey, store.records.facts("survey", since_call, until)),
    )


async def report_from(
    read: Callable[[Callable[[Store], Report]], Awaitable[Report]],
    question: Question,
    working: WorkingTime,
    units: Mapping[str, str],
) -> Report:
    """Return the report of a running node; `read` is `Ledger.read`, `units` are the names by id.

    Raises StoreUnavailable while Redis is away.
    """

    def put_together(store: Store) -> Report:
        return make_report(question, read_material(store, question.since, question.at), working, units)

    return await read(put_together)


def middle(store: Store, since: date, at: datetime, worth: int) -> datetime | None:
    """Return a moment that has half of the orders of `read_material` before it; None if they are less than `worth`."""
    first = datetime.combine(since, datetime.min.time(), at.tzinfo) - _OPENED_BEFORE_DUE
    name, first_ms, last_ms = store.key("orders"), milliseconds(first), milliseconds(at)
    before = store.ask(lambda redis: redis.zcount(name, "-inf", f"({first_ms}"))
    count = store.ask(lambda redis: redis.zcount(name, first_ms, last_ms))
    if count < max(1, worth):
        return None
    rank = before + count // 2
    entries = store.ask(lambda redis: redis.zrange(name, rank, rank, withscores=True))
    return datetime.fromtimestamp(entries[0][1] / 1000, SHANGHAI) if entries else None


def order_facts(line: list[Any]) -> Facts:
    """Return the facts in a line of `order_facts`: see `keep_facts` and `keep_past` in apply.lua."""
    if len(line) == _WITHOUT_PAST:
        line.append(())
    line[-1] = tuple(map(_as_past, line[-1]))
    line[-2] = tuple(map(_as_try, line[-2]))  # an empty list is written as {} by Lua
    return _as_order(line)
