"""A notice of holidays that comes after the deadline: what it would have prevented, and judging it again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from routing.calendar import Calendar, DayType
from routing.calendar_file import ListedDay
from tests.fakes.orders import an_order, moment
from tests.fakes.site_node import Node
from tests.unit.node.test_operations_orders import Desk

SUPERVISOR = Actor.read("supervisor:周督办")
NOTICE = "date,type,name\n2026-03-04,holiday,台风停工\n"
WITH_THE_NOTICE = Calendar({
    moment("03-04 00:00").date(): ListedDay(moment("03-04 00:00").date(), DayType.HOLIDAY, "台风停工", "2026.csv")
})  # fmt: skip


def frozen(**more: Any) -> Order:
    """An order of the evening of the third, whose breach was frozen at 10:00 of the fourth."""
    usual: dict[str, Any] = {
        "overdue_at": moment("03-04 10:00"), "breach_cause": "时限前从未拨打。", "state": OrderState.NOT_REACHED,
    }  # fmt: skip
    return an_order(**(usual | more))


class Judging(Desk):
    """The day after, with the notice loaded."""

    def __init__(self, start: str = "03-04 12:00") -> None:
        super().__init__(start)
        self.office.calendar = WITH_THE_NOTICE

    def rejudge(self, order: Order, why: str = "补发通知") -> Order:
        self.ledger.put(order)
        return self.do("rejudge", order, why, SUPERVISOR)


def test_a_notice_names_the_breaches_it_would_have_prevented_and_changes_none(node: Node) -> None:
    for order in (frozen(order_id="26030310002", state=OrderState.CLOSED),
                  frozen(order_id="26030310003", opened_at="03-02 20:00", overdue_at=moment("03-03 10:00")),
                  an_order(order_id="26030310004")):  # fmt: skip
        node.ledger.put(order)
    preview = node.do("calendar.preview", NOTICE)
    assert [(one.order_id, one.due_before, one.due_after) for one in preview.prevented] == [
        ("26030310002", moment("03-04 10:00"), moment("03-05 10:00"))
    ]
    assert [one.order_id for one in preview.moved] == ["26030310004"]


def test_a_breach_whose_deadline_is_still_to_come_is_none_and_the_record_keeps_both() -> None:
    desk = Judging()
    order = desk.rejudge(frozen())
    assert (order.overdue_at, order.due_at, order.original_due_at) == (
        None, moment("03-05 10:00"), moment("03-04 10:00"),
    )  # fmt: skip
    for words in ("2026-03-04 10:00", "时限前从未拨打", "2026-03-05 10:00", "尚未到期"):
        assert words in order.breach_cause
    (note,) = desk.ledger.notes(order.order_id, "rejudged")
    assert (note["who"], note["why"]) == (str(SUPERVISOR), "补发通知")


def test_one_that_is_missed_by_the_other_deadline_too_is_frozen_at_that() -> None:
    order = Judging("03-05 12:00").rejudge(frozen())
    assert order.overdue_at == moment("03-05 10:00")
    assert order.breach_cause.count("从未拨打") == 2


@pytest.mark.parametrize(
    ("reached_at", "overdue_at"),
    [(moment("03-05 09:00"), None), (moment("03-05 10:00"), moment("03-05 10:00"))],
)
def test_one_reached_between_both_deadlines_was_kept(reached_at: datetime, overdue_at: datetime | None) -> None:
    order = Judging("03-06 12:00").rejudge(frozen(state=OrderState.CLOSED, reached_at=reached_at))
    assert order.overdue_at == overdue_at
    assert ("已按时接通" in order.breach_cause) is (overdue_at is None)


def test_what_was_judged_again_is_frozen_at_the_other_deadline_if_nobody_rings_till_then() -> None:
    desk = Judging()
    desk.calendar = WITH_THE_NOTICE
    desk.done(desk.timetable_made.sweep_calendar())
    order = desk.rejudge(frozen())
    desk.go_on_until("03-05 10:01")
    assert desk.order(order).overdue_at == moment("03-05 10:00")


def test_nothing_is_judged_again_without_a_breach_a_reason_or_another_deadline() -> None:
    desk = Judging()
    desk.ledger.put(order := frozen())
    assert desk.refusal("rejudge", order, " ", SUPERVISOR) == "order.no_text"
    desk.office.calendar = Calendar()
    assert desk.refusal("rejudge", order, "补发通知", SUPERVISOR) == "order.nothing_to_rejudge"
    desk.office.calendar = WITH_THE_NOTICE
    desk.ledger.put(order := an_order(order_id="26030310005"))
    assert desk.refusal("rejudge", order, "补发通知", SUPERVISOR) == "order.nothing_to_rejudge"
