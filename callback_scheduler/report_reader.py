"""Reads what a report asks from the store, in the short form that the store keeps for it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from callback_scheduler.compliance import Facts, Try
from callback_scheduler.report import Material
from callback_scheduler.report_calls import CallFacts, SurveyFacts
from callback_scheduler.store import Store

# An order due on a day was opened on one before: ten days of a holiday with the weekends around it, twice over.
_OPENED_BEFORE_DUE = timedelta(days=30)


def read_material(store: Store, since: date, at: datetime) -> Material:
    """Return all orders that may be due on `since` or later, calls and surveys from then on, known by `at`.

    They are read when they are asked for, each once; that raises StoreUnavailable.
    """
    first = datetime.combine(since, datetime.min.time(), at.tzinfo)
    until = at + timedelta(milliseconds=1)
    return Material(
        orders=map(order_facts, store.facts("order", first - _OPENED_BEFORE_DUE, until)),
        calls=map(CallFacts._make, store.facts("call", first, until)),
        surveys=map(SurveyFacts._make, store.facts("survey", first, until)),
    )


def order_facts(line: list[Any]) -> Facts:
    """Return the facts in a line of `order_facts`: see `keep_facts` in apply.lua."""
    line[-1] = tuple(map(Try._make, line[-1]))  # an empty list is written as {} by Lua
    return Facts._make(line)
