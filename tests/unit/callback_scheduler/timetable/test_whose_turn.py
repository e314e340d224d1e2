"""Which orders are dialled: earliest deadline first, within lines, phones and manners."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callback_scheduler.orders.order import Attempt, AttemptOutcome, Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.timetable.whose_turn import dial_from, next_dial_at, to_dial
from config.ladder import LadderSettings
from tests.fakes.orders import CALENDAR, an_order, moment

LADDER = LadderSettings()
NINE = "03-04 09:00"
PHONES = {"tax": ("6101", "6102"), "market": ("6111", "6112", "6113")}


def tried(order: Order, *outcomes: AttemptOutcome, begun_at: str = NINE) -> Order:
    attempts = tuple(
        Attempt(attempt_id=f"{order.order_id}-a{n}", begun_at=moment(begun_at), by="timetable",
                number=order.callback_number, outcome=outcome)
        for n, outcome in enumerate(outcomes, start=1)
    )  # fmt: skip
    return replace(order, attempts=attempts, state=OrderState.NOT_REACHED)


def chosen(*orders: Order, at: str = NINE, lines: int = 10, **options: Any) -> list[Order]:
    def phones_of(order: Order) -> Collection[str]:
        return PHONES[order.unit_id]

    return to_dial(orders, moment(at), LADDER, CALENDAR, free_lines=lines, phones_of=phones_of, **options)


def test_nobody_is_dialled_before_nine_on_the_day_of_the_deadline() -> None:
    order = an_order()
    assert chosen(order, at="03-03 21:00") == []
    assert chosen(order, at="03-04 08:59:59") == []
    assert chosen(order) == [order]


def test_the_earliest_deadline_that_can_be_kept_is_dialled_first() -> None:
    at_ten = an_order()
    at_eleven = an_order("03-03 19:00", deadline=replace(at_ten.deadline, due_at=moment("03-04 11:00")))
    assert chosen(at_eleven, at_ten, lines=1) == [at_ten]


def test_however_many_promises_are_broken_this_morning_s_are_dialled_first() -> None:
    broken = [an_order("02-02 20:00") for _ in range(50)]
    today = an_order("03-03 20:00")
    assert chosen(*broken, today, lines=1) == [today]


def test_broken_promises_take_turns_by_how_often_they_were_tried() -> None:
    often = tried(an_order("02-02 20:00"), *[AttemptOutcome.UNIT_NO_ANSWER] * 3, begun_at="02-04 09:00")
    once = tried(an_order("03-01 20:00"), AttemptOutcome.UNIT_NO_ANSWER, begun_at="03-02 09:00")
    assert chosen(often, once, lines=1) == [once]


def test_of_one_deadline_who_was_tried_least_comes_first() -> None:
    again, never = tried(an_order("03-03 18:00"), AttemptOutcome.UNIT_NO_ANSWER), an_order("03-03 23:00")
    assert chosen(again, never, lines=1) == [never]


@pytest.mark.parametrize("lines", [0, 1, 3])
def test_no_more_are_dialled_than_lines_are_free(lines: int) -> None:
    orders = [an_order(unit_id="market") for _ in range(6)]
    assert len(chosen(*orders, lines=lines)) == lines


def test_no_unit_gets_more_dials_than_it_has_phones() -> None:
    tax = [an_order() for _ in range(5)]
    market = [an_order(unit_id="market") for _ in range(5)]
    assert [order.unit_id for order in chosen(*tax, *market)] == ["tax"] * 2 + ["market"] * 3


def test_a_phone_that_is_in_use_or_rings_already_is_not_counted_on() -> None:
    first, second = an_order(), an_order()
    assert len(chosen(first, second, phones_in_use={"6101"})) == 1
    # the phone that is in use is the one our own dial rings: there is still another
    assert chosen(first, second, phones_in_use={"6101"}, under_way={first.order_id: first}) == [second]
    assert chosen(first, second, phones_in_use={"6101", "6102"}) == []


def test_an_enterprise_is_not_rung_for_two_orders_at_once() -> None:
    tax = an_order(callback_number="13900000001")
    market = an_order(callback_number="13900000001", unit_id="market")
    assert chosen(tax, market) == [tax]
    assert chosen(market, under_way={tax.order_id: tax}) == []
    assert chosen(market, phones_in_use={"13900000001"}) == []  # it is on the phone with us anyway


def test_an_enterprise_that_another_node_rings_about_its_other_order_is_not_rung() -> None:
    rung, other = (an_order(callback_number="13900000001") for _ in range(2))
    assert chosen(replace(rung, state=OrderState.CALLING_BACK), other) == []


def test_an_enterprise_that_may_talk_with_a_lost_node_is_not_rung_about_its_other_order_either() -> None:
    lost, other = (an_order(callback_number="13900000001") for _ in range(2))
    lost = tried(lost, AttemptOutcome.UNKNOWN)
    was_rung = replace(lost.attempts[0], enterprise_rung_at=moment(NINE))
    lost = replace(lost, attempts=(was_rung,), dial_after=moment("03-04 09:15"))
    assert chosen(lost, other, at="03-04 09:14:59") == []
    assert chosen(lost, other, at="03-04 09:15") == [other]  # it was tried least
    never_rung = replace(lost, attempts=(replace(was_rung, enterprise_rung_at=None),))
    assert chosen(never_rung, other) == [other]


@pytest.mark.parametrize("state", [state for state in OrderState if state not in {
    OrderState.OPENED, OrderState.SENT, OrderState.ACKNOWLEDGED, OrderState.NOT_REACHED,
}])  # fmt: skip
def test_orders_of_these_states_are_not_dialled(state: OrderState) -> None:
    assert chosen(an_order(state=state)) == []


def test_an_order_without_a_number_cannot_be_dialled() -> None:
    assert chosen(an_order(callback_number="")) == []


def test_the_next_try_is_waited_for() -> None:
    order = an_order(dial_after=moment("03-04 09:12"))
    assert chosen(order, at="03-04 09:11:59") == []
    assert chosen(order, at="03-04 09:12") == [order]


def test_a_ten_minute_promise_is_waited_for() -> None:
    assert dial_from(an_order(promised_at=moment("03-04 09:20")), moment("03-04 09:15"), LADDER, CALENDAR) == moment(
        "03-04 09:20"
    )


def test_a_preferred_time_is_kept_to_when_it_keeps_the_promise_or_nothing_does_any_more() -> None:
    soon, later = an_order(preferred_at=moment("03-04 09:30")), an_order(preferred_at=moment("03-04 14:00"))
    assert chosen(soon) == []
    assert chosen(later) == [later]  # 14:00 would break the promise
    assert dial_from(later, moment("03-04 10:00"), LADDER, CALENDAR) == moment("03-04 14:00")


def test_nobody_is_rung_in_the_evening_nor_on_a_day_off() -> None:
    order = an_order("03-05 20:00")  # due Friday 2026-03-06
    assert dial_from(order, moment("03-06 17:29"), LADDER, CALENDAR) == moment("03-06 17:29")
    assert dial_from(order, moment("03-06 17:30"), LADDER, CALENDAR) == moment("03-09 09:00")


def test_an_enterprise_s_phone_rings_in_vain_so_often_a_day_and_no_more() -> None:
    order = tried(an_order(), *[AttemptOutcome.ENTERPRISE_NO_ANSWER] * 6)
    assert dial_from(order, moment("03-04 11:00"), LADDER, CALENDAR) == moment("03-05 09:00")
    unit_only = tried(an_order(), *[AttemptOutcome.UNIT_NO_ANSWER] * 6)
    assert dial_from(unit_only, moment("03-04 11:00"), LADDER, CALENDAR) == moment("03-04 11:00")


@pytest.mark.parametrize(
    ("outcome", "pause_min"),
    [
        (AttemptOutcome.UNIT_BUSY, 3),
        (AttemptOutcome.ENTERPRISE_BUSY, 3),
        (AttemptOutcome.UNIT_NO_ANSWER, 12),
        (AttemptOutcome.ENTERPRISE_NO_ANSWER, 12),
        (AttemptOutcome.NOT_ACCEPTED, 12),
        (AttemptOutcome.IN_TEN_MINUTES, 10),
    ],
)
def test_busy_is_tried_again_after_three_minutes_no_answer_after_twelve(
    outcome: AttemptOutcome, pause_min: int
) -> None:
    order = tried(an_order(), outcome)
    ended_at = moment(NINE)
    assert next_dial_at(order.attempts[0], order, ended_at, LADDER) == ended_at + timedelta(minutes=pause_min)


def test_late_in_the_morning_the_pauses_shrink_so_that_three_tries_fit() -> None:
    order = tried(an_order(), AttemptOutcome.ENTERPRISE_NO_ANSWER)
    ended_at = moment("03-04 09:44")
    again_at = next_dial_at(order.attempts[0], order, ended_at, LADDER)
    assert timedelta(minutes=3) <= again_at - ended_at <= timedelta(minutes=7)


def test_after_three_tries_in_vain_or_a_breach_the_enterprise_is_not_rung_every_few_minutes() -> None:
    order = tried(an_order(), *[AttemptOutcome.ENTERPRISE_BUSY] * 3)
    half_an_hour = timedelta(minutes=30)
    ended_at = moment("03-04 09:20")
    assert next_dial_at(order.attempts[-1], order, ended_at, LADDER) == ended_at + half_an_hour
    once = tried(an_order(), AttemptOutcome.ENTERPRISE_BUSY)
    late_at = moment("03-04 10:05")
    assert next_dial_at(once.attempts[-1], once, late_at, LADDER) == late_at + half_an_hour
