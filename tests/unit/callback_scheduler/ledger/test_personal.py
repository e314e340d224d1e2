"""What of an event may be read by everybody, and with what the rest is forgotten."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from callback_scheduler.journal.event import JournalEvent
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.journal.sealing import Seal
from callback_scheduler.ledger.personal import midnight_before, name_of, seal_of

LATE = datetime(2026, 3, 9, 17, tzinfo=timezone.utc)  # the tenth in Shanghai
CALL = "20260303T180000-1a2b3c4d"


def seal(event_type: str, **payload: Any) -> Seal | None:
    return seal_of(JournalEvent.new(event_type, payload, LATE))


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        ({"order_id": "26030310007", "call_id": CALL}, KeyName("20260303", "26030310007")),
        ({"order_id": "26030310007-2"}, KeyName("20260303", "26030310007")),
        ({"order_id": "26139910007"}, KeyName("20260310", "26139910007")),  # no day of any calendar
        ({"order_id": "7"}, KeyName("20260310", "7")),
        ({"call_id": CALL}, KeyName("20260303", CALL)),
        ({"call_id": "call-13800138000"}, KeyName("20260310", "")),
        ({"text": "any"}, KeyName("20260310", "")),
    ],
)
def test_an_event_is_forgotten_with_its_order_its_call_or_its_day(payload: dict[str, Any], name: KeyName) -> None:
    found = seal("anything_at_all", **payload)
    assert found is not None
    assert found.name == name


def test_only_what_the_hotline_made_up_itself_stays_to_be_read() -> None:
    told = {"order_id": "26030310007", "call_id": CALL, "note": "step_done", "state_to": "sent", "who": "caller"}
    assert seal("order_noted", **told) == Seal(
        KeyName("20260303", "26030310007"), ("note", "state_to", "order_id", "call_id")
    )
    theirs = {"order_id": "26030310007", "call_id": "x13800138000", "note": "请回电13800138000", "event": None}
    assert seal("order_noted", **theirs) == Seal(KeyName("20260303", "26030310007"), ("order_id",))


@pytest.mark.parametrize("event_type", ["order_forgotten", "records_forgotten", "event_refused"])
def test_what_retention_itself_says_is_never_sealed(event_type: str) -> None:
    assert seal(event_type, order_id="26030310007", event_id="e") is None


def test_a_number_that_tells_no_day_may_be_of_any() -> None:
    assert (name_of("7"), name_of("26030310007-3")) == (KeyName("", "7"), KeyName("20260303", "26030310007"))


def test_days_are_those_of_shanghai() -> None:
    assert midnight_before(LATE).isoformat() == "2026-03-10T00:00:00+08:00"
