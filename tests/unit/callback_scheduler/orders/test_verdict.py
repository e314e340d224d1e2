"""What became of a promise: every order in exactly one class, decided by evidence."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callback_scheduler.orders.cause_words import CHINESE, ENGLISH, CauseWords
from callback_scheduler.orders.causes import cause
from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.order import AttemptOutcome
from callback_scheduler.orders.verdict import (
    ANSWERED,
    Facts,
    Stage,
    Try,
    Verdict,
    first_talk_ms,
    judge,
    milliseconds,
    stage,
    tries_before,
)
from callback_scheduler.reports.rules import RULE_NAMES, rule_named
from routing.calendar import Calendar
from routing.clock import SHANGHAI

DUE = datetime(2026, 3, 4, 10, 0, tzinfo=SHANGHAI)
OPENED = datetime(2026, 3, 3, 20, 0, tzinfo=SHANGHAI)
DUE_MS = milliseconds(DUE)
MINUTE = 60_000
VAIN = AttemptOutcome.ENTERPRISE_NO_ANSWER


def at(minutes: float) -> int:
    """The instant so many minutes after the deadline (before it: negative)."""
    return DUE_MS + round(minutes * MINUTE)


def order(*tries: Try, **changes: Any) -> Facts:
    facts = Facts("26030310001", "tax", "after_hours", "sent", milliseconds(OPENED), DUE_MS, tries=tries)
    return facts._replace(**changes)


def tried(minutes: float, outcome: AttemptOutcome = VAIN, talk: float | None = None) -> Try:
    rung = outcome.value.startswith("enterprise") or talk is not None or outcome is AttemptOutcome.TALK_TOO_SHORT
    talk_ms = 0 if talk is None else at(talk)
    answered = outcome.value in ANSWERED or talk is not None
    if talk is not None:
        outcome = AttemptOutcome.REACHED
    return Try(at(minutes), at(minutes) if rung else 0, talk_ms, answered, outcome.value)


# -- one by one -------------------------------------------------------------------------------------------------------


def test_talk_that_begins_in_the_second_of_the_deadline_is_late() -> None:
    assert judge(order(tried(-1, talk=-0.001)), at(1), DUE_MS) is Verdict.ON_TIME
    assert judge(order(tried(-1, talk=0)), at(1), DUE_MS) is Verdict.LATE


def test_a_typed_report_is_never_on_time_by_itself() -> None:
    typed = order(self_reported_ms=at(-30))
    assert judge(typed, at(-1), DUE_MS) is Verdict.SELF_REPORTED
    assert judge(typed, at(60), DUE_MS) is Verdict.SELF_REPORTED
    assert judge(typed._replace(tries=(tried(-10, talk=-9),)), at(60), DUE_MS) is Verdict.ON_TIME


def test_a_report_typed_after_the_deadline_saves_nothing() -> None:
    typed = order(self_reported_ms=at(0))
    assert judge(typed, at(60), DUE_MS) is Verdict.MISSED
    assert "自行填报已联系（3月4日10:00），无通话证据" in cause(typed, Verdict.MISSED, at(60), DUE_MS)


def test_three_evidenced_tries_before_the_deadline_make_an_order_attempted() -> None:
    two = (tried(-50), tried(-30, AttemptOutcome.ENTERPRISE_BUSY))
    assert judge(order(*two), at(60), DUE_MS) is Verdict.MISSED
    assert judge(order(*two, tried(-10, AttemptOutcome.TALK_TOO_SHORT)), at(60), DUE_MS) is Verdict.ATTEMPTED


def test_tries_after_the_deadline_excuse_nothing() -> None:
    assert judge(order(tried(-50), tried(-30), tried(0)), at(60), DUE_MS) is Verdict.MISSED


def test_ringing_only_the_unit_three_times_is_no_try() -> None:
    unit = [tried(-m, AttemptOutcome.UNIT_NO_ANSWER) for m in (50, 30, 10)]
    assert judge(order(*unit), at(60), DUE_MS) is Verdict.MISSED


def test_who_goes_on_trying_and_succeeds_late_does_not_look_worse_than_who_gave_up() -> None:
    tries = [tried(-m) for m in (50, 30, 10)]
    assert judge(order(*tries, tried(30, talk=31)), at(60), DUE_MS) is Verdict.ATTEMPTED


def test_closing_an_order_does_not_stop_its_clock() -> None:
    assert judge(order(state="closed"), at(-1), DUE_MS) is Verdict.NOT_YET_DUE
    assert judge(order(state="closed"), at(0), DUE_MS) is Verdict.MISSED


def test_a_merged_order_is_counted_under_the_other_number() -> None:
    assert judge(order(state="merged"), at(60), DUE_MS) is Verdict.MERGED


@pytest.mark.parametrize(
    ("tries", "expected"),
    [
        ((), Stage.NEVER_DIALLED),
        ((tried(-5, AttemptOutcome.UNIT_NO_ANSWER),), Stage.NOT_ANSWERED),
        ((tried(-5, AttemptOutcome.CALLED_OFF),), Stage.NOT_ANSWERED),
        ((tried(-5, AttemptOutcome.NOT_ACCEPTED), tried(-3, AttemptOutcome.UNIT_BUSY)), Stage.NOT_JOINED),
        ((tried(-5),), Stage.NOT_JOINED),
        ((tried(-5), tried(-3, talk=-2)), Stage.JOINED),
        ((tried(10),), Stage.NEVER_DIALLED),  # after the moment of asking
    ],
)
def test_the_funnel_tells_how_far_the_furthest_try_came(tries: tuple[Try, ...], expected: Stage) -> None:
    assert stage(order(*tries), at(0)) is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (order(), "时限前从未拨打，单位未确认收单。"),
        (order(acknowledged_ms=at(-70), returns=1), "时限前从未拨打，单位3月4日08:50已确认收单，退单1次。"),
        (
            order(tried(-50, AttemptOutcome.UNIT_NO_ANSWER), tried(-30, AttemptOutcome.UNIT_NO_ANSWER),
                  tried(-20, AttemptOutcome.IN_TEN_MINUTES)),
            "时限前拨打3次（单位无人接听2次、单位按3称十分钟后处理1次），企业电话从未拨出。",
        ),
        (order(tried(-9), tried(-5)), "时限前拨打2次（企业无人接听2次），拨打企业2次未满3次。"),
        (order(tried(38, talk=38)), "时限前从未拨打，单位未确认收单，逾期38分钟后才接通。"),
        (order(tried(0, talk=60 * 27)), "时限前从未拨打，单位未确认收单，逾期1天3小时后才接通。"),
        (order(tried(-1, talk=0.5)), "时限前拨打1次，逾期不足1分钟后才接通。"),
    ],
)  # fmt: skip
def test_a_miss_has_its_cause_in_one_sentence(facts: Facts, expected: str) -> None:
    asked_ms = at(60 * 48)
    assert cause(facts, judge(facts, asked_ms, DUE_MS), asked_ms, DUE_MS) == expected


# -- whatever happens -------------------------------------------------------------------------------------------------

MINUTES = st.integers(-180, 180)
TRIES = st.builds(
    lambda minutes, outcome, wait: tried(minutes, outcome, None if wait is None else minutes + wait),
    MINUTES,
    st.sampled_from([outcome for outcome in AttemptOutcome if outcome is not AttemptOutcome.REACHED]),
    st.none() | st.integers(0, 5),
)
ORDERS = st.builds(
    lambda tries, reported, state, returns: order(
        *tries, self_reported_ms=0 if reported is None else at(reported), state=state, returns=returns
    ),
    st.lists(TRIES, max_size=6),
    st.none() | MINUTES,
    st.sampled_from(["opened", "sent", "not_reached", "reached", "self_reported", "closed", "merged"]),
    st.integers(0, 2),
)
DECIDED = {Verdict.ON_TIME, Verdict.ATTEMPTED, Verdict.LATE, Verdict.MERGED}


def classes(facts: Facts, at_ms: int) -> list[Verdict]:
    """Return every class whose definition, written down once more in words of its own, fits the order."""
    begun = [one.talk_ms for one in facts.tries if one.talk_ms and one.talk_ms <= at_ms]
    in_time = any(ms < DUE_MS for ms in begun)
    excused = tries_before(facts, DUE_MS) > 2
    typed = bool(facts.self_reported_ms) and facts.self_reported_ms <= at_ms and facts.self_reported_ms < DUE_MS
    is_over = at_ms >= DUE_MS
    fits = {
        Verdict.ON_TIME: in_time,
        Verdict.ATTEMPTED: is_over and not in_time and excused,
        Verdict.LATE: is_over and not in_time and not excused and bool(begun),
        Verdict.SELF_REPORTED: typed and not in_time and not (is_over and (excused or begun)),
        Verdict.MISSED: is_over and not begun and not excused and not typed,
        Verdict.NOT_YET_DUE: not is_over and not in_time and not typed,
    }
    return [Verdict.MERGED] if facts.state == "merged" else [verdict for verdict, does in fits.items() if does]


@given(ORDERS, MINUTES)
@settings(max_examples=500)
def test_every_order_is_in_exactly_one_class(facts: Facts, minutes: int) -> None:
    assert classes(facts, at(minutes)) == [judge(facts, at(minutes), DUE_MS)]


@given(ORDERS, MINUTES, st.integers(0, 300))
@settings(max_examples=500)
def test_a_later_moment_never_turns_late_into_on_time(facts: Facts, minutes: int, later: int) -> None:
    before, after = judge(facts, at(minutes), DUE_MS), judge(facts, at(minutes + later), DUE_MS)
    if before in DECIDED:
        assert after is before
    if minutes >= 0 and before is not after:
        assert before in {Verdict.MISSED, Verdict.SELF_REPORTED}
        assert after is Verdict.LATE


@given(ORDERS, MINUTES)
def test_on_time_has_evidence_of_talk_before_the_deadline(facts: Facts, minutes: int) -> None:
    if judge(facts, at(minutes), DUE_MS) is Verdict.ON_TIME:
        assert 0 < first_talk_ms(facts, at(minutes)) < DUE_MS
        assert stage(facts, at(minutes)) is Stage.JOINED


def told_in(words: CauseWords, facts: Facts, minutes: int) -> list[tuple[bool, list[int]]]:
    """Return for each part of a cause whether it says anything, and the figures in it.

    Parts are cut where the words themselves put nothing: a comma may as well stand within a part.
    """
    verdict = judge(facts, at(minutes), DUE_MS)
    parts = cause(facts, verdict, at(minutes), DUE_MS, replace(words, between="\n", end="")).split("\n")
    return [(bool(part.strip()), [int(figure) for figure in re.findall(r"\d+", part)]) for part in parts]


@given(ORDERS, MINUTES)
@settings(max_examples=500)
def test_the_english_cause_tells_as_much_as_the_chinese_one_without_a_chinese_character(
    facts: Facts, minutes: int
) -> None:
    english = cause(facts, judge(facts, at(minutes), DUE_MS), at(minutes), DUE_MS, ENGLISH)
    assert "".join(letter for letter in english if letter not in "×“”").isascii()
    assert told_in(ENGLISH, facts, minutes) == told_in(CHINESE, facts, minutes)


@given(ORDERS, MINUTES)
def test_a_cause_is_one_sentence_for_what_is_late_or_missed_and_for_nothing_else(facts: Facts, minutes: int) -> None:
    verdict = judge(facts, at(minutes), DUE_MS)
    told = cause(facts, verdict, at(minutes), DUE_MS)
    assert bool(told) == (verdict in {Verdict.LATE, Verdict.MISSED})
    assert told.count("。") == bool(told)


# -- rules ------------------------------------------------------------------------------------------------------------

CALENDAR = Calendar()


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        ("2026-03-03T20:00", "2026-03-04T20:00"),  # Tuesday to Wednesday
        ("2026-03-06T20:00", "2026-03-09T20:00"),  # Friday: the rest of the 24 h on Monday
        ("2026-03-07T14:00", "2026-03-10T00:00"),  # Saturday: all of Monday
        ("2026-02-14T18:00", "2026-02-24T18:00"),  # make-up workday before the Spring Festival
    ],
)
def test_the_city_rule_counts_24_hours_of_workdays(opened: str, due: str) -> None:
    opened_at = datetime.fromisoformat(opened).replace(tzinfo=SHANGHAI)
    facts = order(opened_ms=milliseconds(opened_at))
    due_ms = rule_named("city-24h", CALENDAR).due_ms(facts)
    assert datetime.fromtimestamp(due_ms / 1000, SHANGHAI).isoformat(timespec="minutes") == f"{due}+08:00"


@given(st.integers(0, 60 * 24 * 330), st.booleans())
@settings(max_examples=300)
def test_the_district_rule_is_the_deadline_rule(minute: int, is_missed: bool) -> None:
    opened_at = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=minute)
    counted_as = "missed_in_hours" if is_missed else "after_hours"
    facts = order(opened_ms=milliseconds(opened_at), counted_as=counted_as)
    due_at = deadline(CALENDAR, opened_at, missed_in_hours=is_missed).due_at
    assert rule_named("workday-10:00", CALENDAR).due_ms(facts) == milliseconds(due_at)


@pytest.mark.parametrize("name", RULE_NAMES)
def test_no_rule_asks_for_a_callback_before_the_call(name: str) -> None:
    rule = rule_named(name, CALENDAR)
    assert rule.name == name
    for hours in range(0, 24 * 20, 5):
        facts = order(opened_ms=milliseconds(OPENED + timedelta(hours=hours)), due_ms=at(60 * 24 * 40))
        assert rule.due_ms(facts) > facts.opened_ms
