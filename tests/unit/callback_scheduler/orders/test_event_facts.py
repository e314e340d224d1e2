"""What an event adds to the facts that reports count, as the store is handed it; never an error for a bad event."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callback_scheduler.orders.actor import TIMETABLE
from callback_scheduler.orders.event_facts import call_facts_in, order_facts_in
from callback_scheduler.orders.fields import attempt_fields, attempt_of
from callback_scheduler.orders.life import noted
from callback_scheduler.orders.order import Attempt, AttemptOutcome, BegunBy, Evidence
from callback_scheduler.orders.verdict import milliseconds, try_of
from tests.fakes.orders import an_order, moment

NINE = moment("03-04 09:00")
TALK = Attempt(
    attempt_id="1-a1", begun_at=NINE, by=BegunBy.UNIT, number="139", outcome=AttemptOutcome.REACHED,
    enterprise_rung_at=NINE + timedelta(seconds=9),
    evidence=Evidence(
        call_id="c", unit_number="1", unit_answered_at=NINE, accepted_at=NINE,
        enterprise_answered_at=NINE + timedelta(seconds=20), talk_began_at=NINE + timedelta(seconds=20), two_way_s=10.0,
    ),
)  # fmt: skip


def test_an_attempt_is_handed_over_as_it_is_judged() -> None:
    payload = noted(an_order(), who=TIMETABLE, why="", changes={"acknowledged_at": NINE}, attempt=TALK)
    talk_ms = milliseconds(NINE) + 20_000
    assert order_facts_in(payload) == {"acknowledged_ms": milliseconds(NINE), "try": try_of(TALK)}
    assert order_facts_in(payload)["try"].talk_ms == talk_ms


def test_a_talk_of_less_than_ten_seconds_is_handed_over_as_none() -> None:
    assert TALK.evidence is not None
    short = replace(TALK, evidence=replace(TALK.evidence, two_way_s=9.999))
    assert order_facts_in({"attempt": attempt_fields(short)})["try"].talk_ms == 0


def test_an_instant_that_is_emptied_is_none_and_one_not_told_of_stays_as_it_was() -> None:
    assert order_facts_in({"changes": {"acknowledged_at": None}}) == {"acknowledged_ms": 0}
    assert order_facts_in({"changes": {"returns": 1}}) == {}


@pytest.mark.parametrize("payload", [
    {}, {"changes": None}, {"changes": 3, "attempt": "x"}, {"opened_at": "yesterday"},
    {"attempt": {"attempt_id": "1-a1", "begun_at": 5}}, {"changes": {"acknowledged_at": ["x"]}},
])  # fmt: skip
def test_an_event_nobody_can_read_raises_nothing(payload: dict[str, Any]) -> None:
    facts = order_facts_in(payload)
    assert not any(facts.get(name) for name in ("opened_ms", "acknowledged_ms", "self_reported_ms"))
    assert facts.get("try", (0, 0, 0))[2] == 0


def test_what_is_no_record_of_a_call_has_no_facts() -> None:
    assert call_facts_in({"call_id": "c", "legs": 3}) is None
    facts = call_facts_in({"call_id": "c", "legs": [1, {"role": "specialist", "accepted_at": "x", "two_way_s": 12}]})
    assert facts is not None
    assert facts.talked_s == 12


def test_the_journal_keeps_words_for_who_began_and_who_acted() -> None:
    payload = noted(an_order(), who=TIMETABLE, why="", changes=None, attempt=TALK)
    assert payload["who"] == "timetable"
    assert payload["attempt"]["by"] == "unit"
    assert attempt_of(payload["attempt"]).by is BegunBy.UNIT


def test_a_word_of_an_earlier_version_for_who_began_stays_as_it_is() -> None:
    fields = attempt_fields(TALK) | {"by": "robot"}
    assert attempt_of(fields).by == "robot"
    assert attempt_fields(attempt_of(fields))["by"] == "robot"
