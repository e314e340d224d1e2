"""What proves a callback, and what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from callback_scheduler.orders.evidence import LEAST_TALK_S, proves, proving
from callback_scheduler.orders.fields import attempt_fields, attempt_of
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence
from routing.clock import SHANGHAI

NINE = datetime(2026, 3, 4, 9, 0, tzinfo=SHANGHAI)
PROOF = Evidence(
    call_id="c",
    unit_number="62340001",
    unit_answered_at=NINE,
    accepted_at=NINE + timedelta(seconds=4),
    enterprise_number="13800000001",
    enterprise_answered_at=NINE + timedelta(seconds=15),
    talk_began_at=NINE + timedelta(seconds=16),
    two_way_s=LEAST_TALK_S,
    recording="c.wav",
)
ATTEMPT = Attempt(attempt_id="26030310001-a1", begun_at=NINE, by="timetable", number="13800000001", evidence=PROOF)


def test_key_1_an_answer_and_ten_seconds_of_talk_prove_a_callback() -> None:
    assert proves(PROOF)


@pytest.mark.parametrize(
    "without",
    [{"accepted_at": None}, {"enterprise_answered_at": None}, {"talk_began_at": None}, {"two_way_s": 9.999}],
    ids=lambda without: next(iter(without)),
)
def test_none_of_them_may_be_missing(without: dict[str, Any]) -> None:
    assert not proves(replace(PROOF, **without))
    assert not proves(None)


def test_the_first_attempt_that_proves_counts() -> None:
    short = replace(ATTEMPT, evidence=replace(PROOF, two_way_s=3.0))
    later = replace(ATTEMPT, attempt_id="26030310001-a3")
    assert proving((short, ATTEMPT, later)) is ATTEMPT
    assert proving((short,)) is None


def test_an_enterprise_was_tried_only_if_its_phone_was_rung() -> None:
    tried = {outcome for outcome in AttemptOutcome if outcome.counts_as_tried}
    assert tried == {
        AttemptOutcome.ENTERPRISE_BUSY,
        AttemptOutcome.ENTERPRISE_NO_ANSWER,
        AttemptOutcome.ENTERPRISE_REFUSED,
        AttemptOutcome.TALK_TOO_SHORT,
    }


@pytest.mark.parametrize("attempt", [ATTEMPT, replace(ATTEMPT, evidence=None, outcome=AttemptOutcome.UNKNOWN)])
def test_an_attempt_comes_back_from_an_event_as_it_was(attempt: Attempt) -> None:
    fields = json.loads(json.dumps(attempt_fields(attempt)))
    assert attempt_of(fields) == attempt
    assert fields["begun_at"] == "2026-03-04T01:00:00+00:00"
