"""The deadline rule, on known days and on every published one."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback_scheduler.orders.deadlines import Deadline, deadline
from routing.calendar import FIRST_PUBLISHED_YEAR, LAST_PUBLISHED_YEAR, Calendar, DayType
from routing.calendar_file import ListedDay
from routing.clock import SHANGHAI

CALENDAR = Calendar()
PUBLISHED = st.datetimes(
    datetime(FIRST_PUBLISHED_YEAR, 1, 1),  # noqa: DTZ001 - the strategy puts the zone in
    datetime(LAST_PUBLISHED_YEAR, 12, 20),  # noqa: DTZ001
    timezones=st.just(SHANGHAI),
)


def due(called: str, missed: bool = False) -> Deadline:
    return deadline(CALENDAR, datetime.fromisoformat(called).replace(tzinfo=SHANGHAI), missed)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("called", "missed", "due_at"),
    [
        ("2026-02-14T18:00", False, "2026-02-24T10:00"),  # a make-up Saturday, then the Spring Festival
        ("2026-03-03T02:00", False, "2026-03-03T10:00"),  # Tuesday night
        ("2026-03-03T07:30", False, "2026-03-03T10:00"),
        ("2026-03-06T20:00", False, "2026-03-09T10:00"),  # Friday evening
        ("2026-02-27T20:00", False, "2026-02-28T10:00"),  # Friday evening before a make-up Saturday
        ("2026-03-03T12:30", False, "2026-03-04T10:00"),  # the lunch break
        ("2026-03-03T10:00", False, "2026-03-04T10:00"),  # not before itself
        ("2026-03-03T09:59:59", False, "2026-03-03T10:00"),
        ("2026-03-03T10:30", True, "2026-03-04T10:00"),
        ("2026-03-03T09:10", True, "2026-03-04T10:00"),  # missed in hours is never due the same day
        ("2026-03-06T16:00", True, "2026-03-09T10:00"),
    ],
)
def test_the_unit_rings_back_by_ten_on_the_workday_of_the_rule(called: str, missed: bool, due_at: str) -> None:
    assert due(called, missed).due_at == at(due_at)


def test_the_reason_is_one_sentence_that_names_the_make_up_workday() -> None:
    assert due("2026-02-14T18:00").reason == (
        "2月14日（周六，调休上班日）18:00来电，非工作时段；其后首个工作日为2月24日（周二），应于10:00前回电。"
    )


def test_the_reason_names_the_holiday_and_tells_a_missed_call_from_one_after_hours() -> None:
    assert "2月17日（周二，春节）" in due("2026-02-17T09:00").reason
    missed = due("2026-03-03T10:30", missed=True)
    assert missed.reason == (
        "3月3日（周二）10:30来电，工作时段内无人接听；下一个工作日为3月4日（周三），应于10:00前回电。"
    )
    assert missed.counted_as == "missed_in_hours"
    assert due("2026-03-03T20:30").counted_as == "after_hours"


def test_a_call_in_the_small_hours_of_a_workday_is_due_that_day_in_words_too() -> None:
    assert due("2026-03-03T02:00").reason == "3月3日（周二）02:00来电，非工作时段；当日为工作日，应于当日10:00前回电。"


def test_a_deadline_beyond_the_published_calendar_says_that_it_is_provisional() -> None:
    found = due(f"{LAST_PUBLISHED_YEAR}-12-31T20:00")
    assert found.due_at.year == LAST_PUBLISHED_YEAR + 1
    assert found.is_provisional
    assert f"{LAST_PUBLISHED_YEAR + 1}年1月" in found.reason
    assert "暂定" in found.reason
    assert not due("2026-03-03T20:00").is_provisional
    assert "暂定" not in due("2026-03-03T20:00").reason


def test_a_loaded_calendar_of_the_next_year_makes_the_deadline_firm() -> None:
    year = LAST_PUBLISHED_YEAR + 1
    new_year = date(year, 1, 1)
    listed = {new_year: ListedDay(new_year, DayType.HOLIDAY, "元旦", f"{year}.csv")}
    found = deadline(Calendar(listed, {year: f"{year}.csv"}), at(f"{year - 1}-12-31T20:00"), missed_in_hours=False)
    assert not found.is_provisional
    assert found.calendar_version != CALENDAR.version


def test_the_zone_of_the_instant_does_not_matter_but_there_must_be_one() -> None:
    in_utc = datetime(2026, 3, 2, 18, 0, tzinfo=timezone.utc)  # Tuesday 02:00 in Shanghai
    assert deadline(CALENDAR, in_utc, missed_in_hours=False) == due("2026-03-03T02:00")
    with pytest.raises(ValueError, match="no time zone"):
        deadline(CALENDAR, datetime(2026, 3, 2, 18, 0), missed_in_hours=False)  # noqa: DTZ001


@given(called=PUBLISHED, missed=st.booleans())
def test_every_deadline_is_ten_on_a_workday_and_the_first_one_after_the_call(called: datetime, missed: bool) -> None:
    found = deadline(CALENDAR, called, missed)
    assert found.due_at.time() == time(10)
    assert found.due_at > called
    assert CALENDAR.day(found.due_at.date()).is_workday
    assert not found.is_provisional
    first_on = called.date() + timedelta(days=1) if missed else called.date()
    for n in range((found.due_at.date() - first_on).days):
        passed_over = datetime.combine(first_on + timedelta(days=n), time(10), SHANGHAI)
        assert passed_over <= called or not CALENDAR.day(passed_over.date()).is_workday


@given(one=PUBLISHED, other=PUBLISHED, missed=st.booleans())
def test_who_rings_earlier_is_never_due_later(one: datetime, other: datetime, missed: bool) -> None:
    earlier, later = sorted((one, other))
    assert deadline(CALENDAR, earlier, missed).due_at <= deadline(CALENDAR, later, missed).due_at
