"""Reads what a report asks from the store, in the short form that the store keeps for it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from operator import itemgetter
from typing import Any

from callback_scheduler.compliance import Facts, Try
from callback_scheduler.evidence import LEAST_TALK_S
from callback_scheduler.order import AttemptOutcome
from callback_scheduler.report import Material
from callback_scheduler.report_calls import CallFacts, SurveyFacts
from callback_scheduler.store import Store

# An order due on a day was opened on one before: ten days of a holiday with the weekends around it, twice over.
_OPENED_BEFORE_DUE = timedelta(days=30)
_OUTCOMES = {outcome.value: outcome for outcome in AttemptOutcome}


def read_material(store: Store, since: date, at: datetime) -> Material:
    """Return all orders that may be due on `since` or later, calls and surveys from then on, known by `at`.

    Raises StoreUnavailable.
    """
    first = datetime.combine(since, datetime.min.time(), at.tzinfo)
    until = at + timedelta(milliseconds=1)
    return Material(
        orders=[order_facts(line) for line in store.facts("order", first - _OPENED_BEFORE_DUE, until)],
        calls=list(map(CallFacts._make, store.facts("call", first, until))),
        surveys=list(map(SurveyFacts._make, store.facts("survey", first, until))),
    )


def order_facts(line: list[Any]) -> Facts:
    """Return the facts in a line of `order_facts`: see `keep_facts` in apply.lua."""
    tries = line[-1]
    # Lua writes an empty list as {}, and attempts in no order
    line[-1] = tuple(sorted(map(_try, tries), key=_begun)) if len(tries) > 1 else tuple(map(_try, tries))
    return Facts._make(line)


_begun = itemgetter(Try._fields.index("begun_ms"))


def _try(line: list[Any]) -> Try:
    begun_ms, rung_ms, outcome, unit_answered_ms, accepted_ms, enterprise_answered_ms, talk_ms, two_way_s = line
    # the same rule as evidence.proves, without making the records it asks for
    is_proved = accepted_ms and enterprise_answered_ms and two_way_s >= LEAST_TALK_S
    return Try(begun_ms, rung_ms, talk_ms if is_proved else 0, unit_answered_ms > 0, _OUTCOMES[outcome])
