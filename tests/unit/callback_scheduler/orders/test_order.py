"""Orders as records, and their numbers."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.fields import from_fields, merged_call, to_payload
from callback_scheduler.orders.numbers import OrderNumbers
from callback_scheduler.orders.order import OrderDraft, OrderKind
from callback_scheduler.orders.states import OrderState
from routing.calendar import Calendar
from routing.clock import SHANGHAI

OPENED_AT = datetime(2026, 2, 14, 18, 0, tzinfo=SHANGHAI)
DRAFT = OrderDraft(
    call_id="c-1",
    kind=OrderKind.AFTER_HOURS,
    opened_at=OPENED_AT,
    caller_number="13800000001",
    callback_number="02152550000",
    matter_id="tax",
    unit_id="tax-bureau",
    deadline=deadline(Calendar(), OPENED_AT, missed_in_hours=False),
    company="长宁某公司",
    is_direct=True,
)


def test_an_order_comes_back_from_the_store_as_it_was_drafted() -> None:
    payload = json.loads(json.dumps(to_payload(DRAFT, "26021410001")))
    order = from_fields(payload | {"state": "opened"})
    assert order.order_id == "26021410001"
    assert order.state is OrderState.OPENED
    assert order.merged_calls == ()
    for name in ("call_id", "kind", "opened_at", "callback_number", "company", "is_direct", "deadline"):
        assert getattr(order, name) == getattr(DRAFT, name), name


def test_instants_of_an_event_are_in_utc() -> None:
    payload = to_payload(DRAFT, "26021410001")
    assert payload["opened_at"] == "2026-02-14T10:00:00+00:00"
    assert payload["due_at"] == "2026-02-24T02:00:00+00:00"


def test_a_repeated_call_keeps_its_own_number_and_time() -> None:
    repeated = merged_call(to_payload(DRAFT, "26021410002"))
    assert repeated.order_id == "26021410002"
    assert repeated.opened_at == OPENED_AT


def test_an_order_number_is_the_date_in_shanghai_the_node_and_a_sequence() -> None:
    numbers = OrderNumbers(node_number=3)
    evening_in_utc = datetime(2026, 2, 14, 16, 30, tzinfo=timezone.utc)  # 00:30 on the 15th in Shanghai
    assert numbers.next(evening_in_utc) == "26021530001"
    assert numbers.next(evening_in_utc) == "26021530002"
    assert numbers.next(OPENED_AT) == "26021430001"


def test_numbers_given_before_a_restart_are_not_given_again() -> None:
    numbers = OrderNumbers(node_number=1)
    numbers.note("26021410041")
    numbers.note("26021410007")  # older ones change nothing
    numbers.note("26021420099")  # nor do those of another node
    numbers.note("26021410050-2")  # nor one that had to be told apart
    assert numbers.next(OPENED_AT) == "26021410042"


def test_the_order_after_the_last_four_digit_one_still_gets_a_number() -> None:
    numbers = OrderNumbers(node_number=1)
    numbers.note("26021419999")
    assert numbers.next(OPENED_AT) == "260214110000"
    assert numbers.next(OPENED_AT) == "260214110001"


@pytest.mark.parametrize("node_number", [0, 10])
def test_a_node_number_is_one_digit(node_number: int) -> None:
    with pytest.raises(ValueError, match="1 to 9"):
        OrderNumbers(node_number)
