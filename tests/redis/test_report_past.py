"""Figures of the past: what happens to an order later changes nothing in a report of the time before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders import life
from callback_scheduler.orders.causes import breach_cause
from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.order import Order, OrderKind
from callback_scheduler.orders.rejudging import rejudged
from callback_scheduler.orders.states import OrderEvent
from callback_scheduler.orders.verdict import Verdict, facts_of, verdict
from callback_scheduler.reports.reader import read_material
from callback_scheduler.reports.report import Question, Report, make_report
from callback_scheduler.reports.rules import rule_named
from callback_scheduler.store.store import Store
from config.hours import HoursSettings
from routing.hours import Hours
from routing.working_time import WorkingTime
from tests.redis.nodes import EVENING, draft
from tests.redis.test_early_events import apply_by_the_earlier_version
from tests.redis.test_report import CALENDAR, DUE
from tests.redis.test_store import Applying, opened

NUMBERS = ("26030310001", "26030310002", "26030310003")
MINUTE = timedelta(minutes=1)


class Orders:
    """Orders of the tax office, left on the evening before they are due, and what happens to them."""

    def __init__(self, store: Store) -> None:
        self.store, self._apply = store, Applying(store)
        self._apply(*(opened(number, draft(f"138{number}", unit_id="tax")) for number in NUMBERS))

    def one(self, number: str = NUMBERS[0]) -> Order:
        order = self.store.orders.order(number)
        assert order is not None
        return order

    def event(self, event: OrderEvent, at: datetime, number: str, **changes: Any) -> JournalEvent:
        order = self.one(number)
        payload = life.changed(order, event, who="unit:tax:李", why="已联系", changes=changes, attempt=None, at=at)
        return JournalEvent.new("order_changed", payload, at)

    def happen(self, event: OrderEvent, at: datetime, number: str = NUMBERS[0], **changes: Any) -> None:
        self._apply(self.event(event, at, number, **changes))

    def pass_on(self, at: datetime, number: str = NUMBERS[0]) -> None:
        """Let the tax office return the order, and a supervisor give it to the market office."""
        self.happen(OrderEvent.RETURNED, at, number)
        self.happen(OrderEvent.REASSIGNED, at + MINUTE, number, unit_id="market")

    def report(self, at: datetime, unit_id: str = "") -> Report:
        question = Question(at, rule_named("own", CALENDAR), EVENING.date(), unit_id=unit_id)
        working = WorkingTime(Hours(HoursSettings()), CALENDAR)
        return make_report(question, read_material(self.store, question.since, at), working, {})

    def verdicts(self, at: datetime) -> dict[str, dict[str, int]]:
        """Return how many orders of each class each unit has in the report of `at`."""
        rows = self.report(at).orders["after_hours"].items()
        return {unit_id: {one.value: n for one, n in row.verdicts.items()} for unit_id, row in rows}


@pytest.fixture
def orders(store: Store) -> Orders:
    return Orders(store)


def test_a_breach_stays_with_the_unit_that_had_the_order_at_its_deadline(orders: Orders) -> None:
    at = DUE + timedelta(days=1)
    before = orders.report(at).as_fields()
    orders.pass_on(at + timedelta(days=20))
    assert orders.report(at).as_fields() == before
    today = at + timedelta(days=30)
    assert orders.verdicts(today) == {"tax": {"missed": 3}}, "the market office had it after its deadline"
    assert len(orders.report(today, "tax").misses) == 3
    assert orders.report(today, "market").misses == ()


def test_an_order_passed_on_before_its_deadline_is_the_new_units(orders: Orders) -> None:
    orders.pass_on(DUE - 30 * MINUTE)
    assert orders.verdicts(DUE - 40 * MINUTE) == {"tax": {"not_yet_due": 3}}
    assert orders.verdicts(DUE) == {"tax": {"missed": 2}, "market": {"missed": 1}}


def test_returns_of_later_are_not_told_of(orders: Orders) -> None:
    orders.pass_on(DUE + MINUTE)
    (cause,) = {miss.cause for miss in orders.report(DUE).misses}
    assert "退单" not in cause


def goes_with_return(orders: Orders, at: datetime) -> None:
    orders.happen(OrderEvent.RETURNED, at)


def goes_with_reassignment(orders: Orders, at: datetime) -> None:
    orders.happen(OrderEvent.REASSIGNED, at, unit_id="market")


def goes_with_reopening(orders: Orders, at: datetime) -> None:
    orders.happen(OrderEvent.REOPENED, at)


@pytest.mark.parametrize("goes", [goes_with_return, goes_with_reassignment, goes_with_reopening])
def test_a_claim_goes_with_the_unit_that_made_it(orders: Orders, goes: Callable[[Orders, datetime], None]) -> None:
    orders.happen(OrderEvent.SELF_REPORTED, EVENING + 5 * MINUTE)
    assert verdict(orders.one(), DUE) is Verdict.SELF_REPORTED
    goes(orders, EVENING + 10 * MINUTE)
    order = orders.one()
    assert (order.self_reported_at, order.self_reported_by, order.self_report) == (None, "", "")
    assert verdict(order, DUE + MINUTE) is Verdict.MISSED
    assert "自行填报" not in breach_cause(order, DUE)
    assert len(orders.report(DUE + MINUTE).misses) == 3


def test_a_claim_that_stood_at_the_deadline_stays_in_the_figures(orders: Orders) -> None:
    orders.happen(OrderEvent.SELF_REPORTED, EVENING + 5 * MINUTE)
    orders.pass_on(DUE + 10 * MINUTE)
    for at in (DUE + MINUTE, DUE + timedelta(days=9)):
        assert orders.verdicts(at) == {"tax": {"self_reported": 1, "missed": 2}}, at
    assert "自行填报" in breach_cause(orders.one(), DUE)


def test_a_claim_typed_again_after_the_deadline_does_not_take_the_first_away(orders: Orders) -> None:
    orders.happen(OrderEvent.SELF_REPORTED, EVENING + 5 * MINUTE)
    orders.happen(OrderEvent.SELF_REPORTED, DUE + 5 * MINUTE)
    assert orders.verdicts(DUE + timedelta(hours=1)) == {"tax": {"self_reported": 1, "missed": 2}}


def test_an_order_merged_later_was_owed_before(orders: Orders) -> None:
    orders.happen(OrderEvent.MERGED, DUE + MINUTE)
    assert orders.verdicts(DUE) == {"tax": {"missed": 3}}
    assert orders.verdicts(DUE + MINUTE) == {"tax": {"missed": 2, "merged": 1}}


def test_a_unit_that_an_earlier_version_changed_is_found_in_the_events_of_the_order(orders: Orders) -> None:
    changed = orders.event(OrderEvent.REASSIGNED, DUE + MINUTE, NUMBERS[0], unit_id="market")
    apply_by_the_earlier_version(orders.store, changed)
    orders.happen(OrderEvent.ACKNOWLEDGED, DUE + 2 * MINUTE)
    assert orders.verdicts(DUE + timedelta(days=1)) == {"tax": {"missed": 3}}


def test_the_past_of_an_order_goes_with_the_order(orders: Orders) -> None:
    orders.pass_on(DUE - MINUTE)
    orders.happen(OrderEvent.CLOSED, DUE + MINUTE)
    past = orders.store.key("order_past")
    assert orders.store.ask(lambda redis: redis.hkeys(past)) == [NUMBERS[0]]
    Applying(orders.store)(JournalEvent.new("order_forgotten", {"order_id": NUMBERS[0]}, DUE + timedelta(days=2000)))
    assert not orders.store.ask(lambda redis: redis.exists(past))


def test_what_a_chat_asked_for_in_working_hours_is_no_missed_call(store: Store) -> None:
    in_hours = deadline(CALENDAR, EVENING - timedelta(hours=6), missed_in_hours=True, is_online=True)
    for number, kind in (("26030310004", OrderKind.ONLINE), ("26030310005", OrderKind.MISSED)):
        made = draft(f"139{number}", unit_id="tax", kind=kind, deadline=in_hours, after=-timedelta(hours=6))
        Applying(store)(opened(number, made))
    orders = Orders(store)
    report = orders.report(DUE)
    rows = {kind: {unit_id: row.orders for unit_id, row in rows.items()} for kind, rows in report.orders.items()}
    assert rows == {"after_hours": {"tax": 3}, "missed_in_hours": {"tax": 1}, "online": {"tax": 1}}
    assert facts_of(orders.one("26030310004")).counted_as == "online"
    assert "在线转入" in in_hours.reason
    assert {miss.facts.order_id for miss in report.misses if miss.facts.counted_as == "online"} == {"26030310004"}


def test_a_breach_judged_again_changes_no_report_of_the_time_before(orders: Orders) -> None:
    at = DUE + timedelta(hours=1)
    before = orders.report(at).as_fields()
    due = replace(orders.one().deadline, due_at=DUE + timedelta(days=1))
    frozen = replace(orders.one(), overdue_at=DUE, breach_cause="时限前从未拨打。")
    changes = rejudged(frozen, due, at + MINUTE)
    payload = life.noted(orders.one(), who="supervisor:周", why="补发通知", changes=changes, attempt=None)
    Applying(orders.store)(JournalEvent.new("order_noted", payload | {"note": "rejudged"}, at + MINUTE))
    assert orders.report(at).as_fields() == before
    assert orders.verdicts(at + 2 * MINUTE) == {"tax": {"missed": 2, "not_yet_due": 1}}
    assert orders.verdicts(DUE + timedelta(days=1)) == {"tax": {"missed": 3}}
