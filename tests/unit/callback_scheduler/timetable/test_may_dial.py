"""The one gate of outgoing calls, as a table: what for, at what hour, after what, and what is in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callback_scheduler.orders.holds import Hold
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Order
from callback_scheduler.timetable.may_dial import DialFor, DialPast, DialReason, GateRules, may_dial_now
from config.bounds import DialBounds
from config.ladder import LadderSettings
from tests.fakes.orders import CALENDAR, an_order, moment

LEADER = "6109"
F, R = DialFor, DialReason
FORBIDDEN = {"110", "12345", "16812345678"}
RULES = GateRules(
    ladder=LadderSettings(), bounds=DialBounds(), calendar=CALENDAR, may_be_rung=lambda number: number not in FORBIDDEN
)


def tried(order: Order, at: str, outcome: AttemptOutcome = AttemptOutcome.ENTERPRISE_NO_ANSWER, n: int = 1) -> Order:
    """The order after `n` attempts that began and ended at one instant, each of which rang the enterprise."""
    one = Attempt(
        attempt_id="x", begun_at=moment(at), ended_at=moment(at), by="timetable", number=order.callback_number,
        outcome=outcome, enterprise_rung_at=moment(at),
    )  # fmt: skip
    return replace(order, attempts=(*order.attempts, *[one] * n))


def reason(why: DialFor, at: str, order: Order | None = None, number: str = "", **past: Any) -> DialReason | None:
    asked = number or (order.callback_number if order else LEADER)
    refusal = may_dial_now("tax", asked, moment(at), why, rules=RULES, past=DialPast(order=order, **past))
    return refusal.reason if refusal else None


ORDER = an_order()  # due on Wednesday 03-04 at 10:00
HOURS = [
    (F.TIMETABLE, "03-04 08:59", R.HOURS), (F.TIMETABLE, "03-04 09:00", None), (F.TIMETABLE, "03-04 17:30", R.HOURS),
    (F.CLICK, "03-04 07:59", R.HOURS), (F.CLICK, "03-04 08:00", None), (F.CLICK, "03-04 17:59", None),
    (F.CLICK, "03-04 18:00", R.HOURS), (F.CLICK, "03-03 21:18", R.HOURS), (F.CLICK, "03-07 11:00", R.HOURS),
    (F.PROGRAM, "03-03 21:18", R.HOURS), (F.PROGRAM, "03-04 11:00", None),
    (F.DIAL_IN, "03-03 21:18", R.HOURS), (F.DIAL_IN, "03-04 11:00", None),
    (F.LEADER, "03-04 03:00", R.HOURS), (F.LEADER, "03-04 09:40", None),
    (F.LEADER_CLICK, "03-04 21:00", R.HOURS), (F.LEADER_CLICK, "03-04 09:00", None),
    (F.NUMBER_CHECK, "03-04 19:00", R.HOURS), (F.NUMBER_CHECK, "03-04 08:00", None),
    (F.LIVE, "03-04 03:00", None), (F.OWN_PHONE, "03-04 03:00", None),
]  # fmt: skip


@pytest.mark.parametrize(("why", "at", "expected"), HOURS)
def test_each_call_has_its_hours(why: DialFor, at: str, expected: DialReason | None) -> None:
    order = ORDER if why in (F.TIMETABLE, F.CLICK, F.PROGRAM, F.DIAL_IN) else None
    assert reason(why, at, order) is expected


def test_while_the_line_is_open_people_may_ring_whatever_the_day() -> None:
    open_rules = replace(RULES, is_open=lambda at: True)
    past = DialPast(order=ORDER)
    saturday = moment("03-07 19:00")
    assert may_dial_now("tax", ORDER.callback_number, saturday, F.CLICK, rules=open_rules, past=past) is None
    assert may_dial_now("tax", ORDER.callback_number, saturday, F.TIMETABLE, rules=open_rules, past=past) is not None


@pytest.mark.parametrize("why", list(DialFor))
@pytest.mark.parametrize("number", sorted(FORBIDDEN))
def test_a_number_that_nobody_may_ring_is_refused_for_every_purpose(why: DialFor, number: str) -> None:
    assert reason(why, "03-04 09:30", ORDER, number) is R.NUMBER


@pytest.mark.parametrize("why", [F.CLICK, F.PROGRAM, F.DIAL_IN])
def test_after_a_call_that_rang_somebody_the_next_one_waits(why: DialFor) -> None:
    order = tried(ORDER, "03-04 09:10:00", AttemptOutcome.UNIT_NO_ANSWER)
    now, past = moment("03-04 09:10:20"), DialPast(order=order)
    refusal = may_dial_now("tax", order.callback_number, now, why, rules=RULES, past=past)
    assert refusal is not None
    assert (refusal.reason, refusal.wait_s) == (R.PAUSE, 40.0)
    assert reason(why, "03-04 09:11:00", order) is None


def test_one_that_was_called_off_before_anybody_was_rung_is_no_reason_to_wait() -> None:
    assert reason(F.CLICK, "03-04 09:10:01", tried(ORDER, "03-04 09:10:00", AttemptOutcome.CALLED_OFF)) is None


@pytest.mark.parametrize("why", [F.TIMETABLE, F.CLICK, F.PROGRAM, F.DIAL_IN])
def test_tries_in_vain_and_attempts_of_a_day_have_an_end_and_the_next_day_is_new(why: DialFor) -> None:
    in_vain = tried(ORDER, "03-04 09:10", n=6)
    often = tried(ORDER, "03-04 09:10", AttemptOutcome.UNIT_NO_ANSWER, n=40)
    assert reason(why, "03-04 11:00", in_vain) is R.ORDER_CAP
    assert reason(why, "03-04 11:00", often) is R.ORDER_CAP
    assert reason(why, "03-05 09:30", in_vain) is None
    assert reason(why, "03-05 09:30", often) is None


@pytest.mark.parametrize("why", [F.TIMETABLE, F.CLICK, F.PROGRAM, F.DIAL_IN])
def test_one_number_rings_so_often_a_day_whatever_it_is_about(why: DialFor) -> None:
    number = ORDER.callback_number
    others = [tried(an_order(callback_number=number), "03-04 09:10", n=5) for _ in range(4)]
    assert reason(why, "03-04 11:00", ORDER, of_number=others) is R.NUMBER_CAP
    assert reason(why, "03-04 11:00", ORDER, of_number=others[:3]) is None
    strangers = [replace(one, callback_number="13700000000") for one in others]
    assert reason(why, "03-04 11:00", ORDER, of_number=strangers) is None


def test_a_leader_is_not_rung_again_at_once_nor_all_day() -> None:
    now = moment("03-04 11:00")
    assert reason(F.LEADER_CLICK, "03-04 11:00", rung_at=(now - timedelta(seconds=59),)) is R.PAUSE
    assert reason(F.LEADER_CLICK, "03-04 11:00", rung_at=(now - timedelta(seconds=60),)) is None
    assert reason(F.LEADER_CLICK, "03-04 11:00", rung_at=(now - timedelta(minutes=9),) * 20) is R.NUMBER_CAP


@pytest.mark.parametrize(
    ("hold", "may"),
    [
        (Hold.CALLER, {F.CLICK, F.DIAL_IN}), (Hold.OTHER_NUMBERS, {F.CLICK, F.DIAL_IN}),
        (Hold.TARGET, {F.CLICK, F.DIAL_IN}), (Hold.UNHEARD, {F.CLICK, F.DIAL_IN}),
        (Hold.NOT_THEIRS, set()), ("a later version's word", {F.CLICK, F.DIAL_IN}),
    ],
)  # fmt: skip
def test_an_order_that_waits_for_a_person_is_rung_by_a_person_only(hold: str, may: set[DialFor]) -> None:
    order = an_order(hold_reason=str(hold))
    asked = (F.TIMETABLE, F.PROGRAM, F.CLICK, F.DIAL_IN)
    assert {why for why in asked if reason(why, "03-04 09:30", order) is None} == may
    assert {reason(why, "03-04 09:30", order) for why in set(asked) - may} == {R.HELD}
