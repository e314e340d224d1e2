"""A number in what somebody typed is masked on every page that masks numbers, and whole where these are whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from console.people.roles import Role
from tests.web.supervised import NOW, Supervised, due_today
from tests.web.visitors import House, text

TYPED = "请改拨 138-0000-1234，座机62345678"


@pytest.fixture
def house() -> Supervised:
    return Supervised()


def typed_into(house: House, state: OrderState = OrderState.SELF_REPORTED) -> Order:
    """Put an order into the house in which a number stands wherever somebody can type."""
    order = replace(
        due_today(), company=TYPED, self_report=TYPED, self_reported_at=NOW, self_reported_by="unit:tax:李四",
        return_reason=TYPED, written_request=TYPED, written_answer=TYPED, written_answer_at=NOW, state=state,
        written_answer_by="unit:tax:李四",
    )  # fmt: skip
    house.operations.orders_there = {order.order_id: order}
    house.operations.events_there[order.order_id] = [
        {"type": "order_noted", "at": NOW.isoformat(), "payload": {"note": "add", "who": "seat:li", "why": TYPED}}
    ]
    return order


def whole_numbers(page: str) -> int:
    return page.count("0000-1234") + page.count("62345678")


@pytest.mark.parametrize("state", [OrderState.SELF_REPORTED, OrderState.RETURNED])
def test_a_supervisor_sees_no_number_that_somebody_typed_but_for_a_reason(house: Supervised, state: OrderState) -> None:
    order, supervisor = typed_into(house, state), house.visitor(Role.SUPERVISOR)
    for path in ("/compliance", "/orders", f"/orders/{order.order_id}", f"/orders/{order.order_id}/act/close"):
        page = supervisor.get(path)
        assert page.status == 200
        assert not whole_numbers(text(page)), path
    shown = text(supervisor.post(f"/orders/{order.order_id}/numbers", {"why": "企业来电核对"}))
    assert whole_numbers(shown) >= 10


def test_a_unit_sees_no_number_that_somebody_typed_but_for_a_reason(house: Supervised) -> None:
    order, unit = typed_into(house), house.visitor(Role.UNIT, unit_id="tax")
    for path in ("/unit", f"/unit/orders/{order.order_id}"):
        assert not whole_numbers(text(unit.get(path))), path
    assert whole_numbers(text(unit.post(f"/unit/orders/{order.order_id}/number", {"why": "核对"}))) >= 4


def test_the_audit_log_is_shown_without_the_numbers_that_stand_in_reasons(house: Supervised) -> None:
    order, supervisor = typed_into(house), house.visitor(Role.SUPERVISOR)
    supervisor.post(f"/orders/{order.order_id}/numbers", {"why": TYPED})
    assert house.audit.acts[-1].why == TYPED, "on disk it is what was typed"
    page = text(supervisor.get("/audit"))
    assert "138****1234" in page
    assert not whole_numbers(page)
