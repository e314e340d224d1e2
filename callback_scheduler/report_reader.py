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
        calls=[call_facts(line) for line in store.facts("call", first, until)],
        surveys=[SurveyFacts(*line) for line in store.facts("survey", first, until)],
    )


def order_facts(line: list[Any]) -> Facts:
    """Return the facts in a line of `order_facts`: see `keep_facts` in apply.lua."""
    (order_id, unit_id, counted_as, state, opened_at, due_ms, acknowledged_at, self_reported_at, returns, level, solved,
     tries) = line  # fmt: skip
    return Facts(
        order_id,
        unit_id,
        counted_as,
        state,
        _ms(opened_at),
        due_ms,
        _ms(acknowledged_at) if acknowledged_at else 0,
        _ms(self_reported_at) if self_reported_at else 0,
        returns,
        level,
        solved,
        # Lua writes an empty list as {}, and attempts in no order
        tuple(sorted(map(_try, tries), key=_begun)) if tries else (),
    )


_begun = itemgetter(Try._fields.index("begun_ms"))


def _try(line: list[Any]) -> Try:
    begun_at, rung_at, outcome, unit_answered_at, accepted_at, enterprise_answered_at, talk_began_at, two_way_s = line
    # the same rule as evidence.proves, without making the records it asks for
    is_proved = accepted_at and enterprise_answered_at and talk_began_at and two_way_s >= LEAST_TALK_S
    return Try(
        _ms(begun_at),
        _ms(rung_at) if rung_at else 0,
        _ms(talk_began_at) if is_proved else 0,
        bool(unit_answered_at),
        _OUTCOMES[outcome],
    )


def call_facts(line: list[Any]) -> CallFacts:
    """Return the facts in a line of `call_facts`: see `keep_call_facts` in apply.lua."""
    offered_at, ended_at, direction, unit_id, outcome, asked_at, answered_at, transfer, talked_s, was_surveyed = line
    offered_ms = _ms(offered_at) if offered_at else 0
    return CallFacts(
        offered_ms=offered_ms,
        is_callers=direction == "in",
        unit_id=unit_id,
        outcome=outcome,
        lasted_ms=_ms(ended_at) - offered_ms if ended_at else 0,
        asked_ms=_ms(asked_at) if asked_at else 0,
        answered_ms=_ms(answered_at) if answered_at else 0,
        transfer=transfer,
        was_connected=talked_s >= LEAST_TALK_S,
        was_surveyed=was_surveyed,
    )


def _ms(instant: str) -> int:
    return round(datetime.fromisoformat(instant).timestamp() * 1000)
