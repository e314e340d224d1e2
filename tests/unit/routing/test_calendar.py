"""Days of China: published ones, a site's own notice over them, and a marked guess beyond."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigError
from routing.calendar import FIRST_PUBLISHED_YEAR, LAST_PUBLISHED_YEAR, Calendar, DayType, load_calendar

CALENDAR = Calendar()
published_days = st.dates(date(FIRST_PUBLISHED_YEAR, 1, 1), date(LAST_PUBLISHED_YEAR, 12, 31))
any_day = st.dates(date(1990, 1, 1), date(2090, 12, 31))

NOTICE_OF_2027 = """\
# a notice made up for this test
date,type,name
2027-01-01,放假,元旦
2027-02-05,holiday,春节
2027-02-06,holiday,春节
2027-02-07,holiday,春节
2027-02-08,holiday,春节
2027-02-20,上班,春节
2027-04-05,holiday,清明节
2027-05-01,holiday,劳动节
2027-05-02,holiday,劳动节

2027-06-09,holiday,端午节
2027-09-15,holiday,中秋节
2027-10-01,holiday,国庆节
2027-10-02,holiday,国庆节
2027-10-03,holiday,国庆节
"""


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_calendar(folder)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("on", "day_type", "name"),
    [
        ("2026-01-04", DayType.MAKE_UP_WORKDAY, "元旦"),
        ("2026-02-14", DayType.MAKE_UP_WORKDAY, "春节"),
        ("2026-02-15", DayType.HOLIDAY, "春节"),
        ("2026-02-23", DayType.HOLIDAY, "春节"),
        ("2026-02-24", DayType.WORKDAY, ""),
        ("2026-02-28", DayType.MAKE_UP_WORKDAY, "春节"),
        ("2026-03-01", DayType.WEEKEND, ""),
        ("2026-04-06", DayType.HOLIDAY, "清明"),
        ("2026-05-09", DayType.MAKE_UP_WORKDAY, "劳动节"),
        ("2026-06-19", DayType.HOLIDAY, "端午"),
        ("2026-09-20", DayType.MAKE_UP_WORKDAY, "国庆节"),
        ("2026-09-27", DayType.HOLIDAY, "中秋"),
        ("2026-10-07", DayType.HOLIDAY, "国庆节"),
        ("2026-10-10", DayType.MAKE_UP_WORKDAY, "国庆节"),
    ],
)
def test_days_are_those_of_the_state_councils_notice_for_2026(on: str, day_type: DayType, name: str) -> None:
    day = CALENDAR.day(date.fromisoformat(on))
    assert (day.day_type, day.name[:2], day.is_provisional) == (day_type, name[:2], False)
    assert day.source.startswith("chinesecalendar ")


@given(published_days)
def test_every_published_day_is_work_or_rest_as_chinesecalendar_says(on: date) -> None:
    day = CALENDAR.day(on)
    assert day.is_workday == chinese_calendar.is_workday(on)
    assert not day.is_provisional
    assert day.on == on


def test_every_published_year_has_all_of_its_days_and_plausibly_many_workdays() -> None:
    for year in range(FIRST_PUBLISHED_YEAR, LAST_PUBLISHED_YEAR + 1):
        first = date(year, 1, 1)
        days = [CALENDAR.day(first + timedelta(days=n)) for n in range((date(year, 12, 31) - first).days + 1)]
        assert 246 <= sum(day.is_workday for day in days) <= 255, year
        assert not any(day.is_provisional for day in days)


@given(any_day)
def test_next_workday_is_the_first_workday_strictly_after(after: date) -> None:
    found = CALENDAR.next_workday(after)
    assert found.is_workday
    assert found.on > after
    between = (after + timedelta(days=n) for n in range(1, (found.on - after).days))
    assert not any(CALENDAR.day(on).is_workday for on in between)
    assert found.on - after <= timedelta(days=12)


@given(any_day, st.integers(0, 30))
def test_next_workday_never_goes_back_when_the_day_before_it_moves_on(after: date, days: int) -> None:
    assert CALENDAR.next_workday(after).on <= CALENDAR.next_workday(after + timedelta(days=days)).on


@given(any_day)
def test_day_types_fit_their_weekdays(on: date) -> None:
    day = CALENDAR.day(on)
    if day.day_type in (DayType.WEEKEND, DayType.MAKE_UP_WORKDAY):
        assert on.weekday() >= 5
    if day.day_type is DayType.WORKDAY:
        assert on.weekday() < 5


@given(any_day)
def test_a_day_is_provisional_exactly_outside_the_years_with_a_notice(on: date) -> None:
    assert CALENDAR.day(on).is_provisional == (not FIRST_PUBLISHED_YEAR <= on.year <= LAST_PUBLISHED_YEAR)


def test_calendar_reaches_to_the_end_of_the_last_published_year() -> None:
    assert CALENDAR.covers_until == date(LAST_PUBLISHED_YEAR, 12, 31)


@pytest.mark.skipif(LAST_PUBLISHED_YEAR >= 2027, reason="chinesecalendar has learned 2027")
def test_beyond_the_notices_statutory_days_and_weekends_are_known_provisionally() -> None:
    new_year = CALENDAR.day(date(2027, 1, 1))
    assert (new_year.day_type, new_year.name, new_year.is_provisional) == (DayType.HOLIDAY, "元旦", True)
    assert CALENDAR.day(date(2027, 2, 8)).day_type is DayType.HOLIDAY
    assert CALENDAR.day(date(2027, 1, 9)).day_type is DayType.WEEKEND
    assert CALENDAR.next_workday(date(2026, 12, 31)).on == date(2027, 1, 4)
    assert CALENDAR.next_workday(date(2026, 12, 31)).is_provisional


@pytest.mark.skipif(LAST_PUBLISHED_YEAR >= 2027, reason="chinesecalendar has learned 2027")
def test_a_notice_loaded_by_the_site_ends_the_guessing(tmp_path: Path) -> None:
    (tmp_path / "2027.csv").write_text(NOTICE_OF_2027, encoding="utf-8-sig")
    calendar = load_calendar(tmp_path)
    assert calendar.covers_until == date(2027, 12, 31)
    worked = calendar.day(date(2027, 2, 20))
    assert (worked.day_type, worked.name, worked.source) == (DayType.MAKE_UP_WORKDAY, "春节", "2027.csv")
    plain = calendar.day(date(2027, 3, 1))
    assert (plain.day_type, plain.source, plain.is_provisional) == (DayType.WORKDAY, "2027.csv", False)
    assert not calendar.next_workday(date(2026, 12, 31)).is_provisional


def test_a_site_changes_single_days_of_a_published_year(tmp_path: Path) -> None:
    (tmp_path / "2026.csv").write_text("date,type,name\n2026-03-13,holiday,停工\n2026-02-14,weekend,\n")
    calendar = load_calendar(tmp_path)
    assert calendar.day(date(2026, 3, 13)).day_type is DayType.HOLIDAY
    assert calendar.day(date(2026, 2, 14)).day_type is DayType.WEEKEND
    assert calendar.day(date(2026, 2, 28)).day_type is DayType.MAKE_UP_WORKDAY
    assert calendar.covers_until == CALENDAR.covers_until


def test_half_a_notice_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    year = LAST_PUBLISHED_YEAR + 1
    (tmp_path / f"{year}.csv").write_text(f"date,type,name\n{year}-01-01,holiday,元旦\n")
    faults = faults_of(tmp_path)
    assert f"{year}.csv:0: {year}-10-01: 国庆节 is a day off by law: list it as holiday" in faults
    assert not any(f"{year}-01-01" in fault for fault in faults)


def test_version_changes_with_every_change_of_a_source_and_only_then(tmp_path: Path) -> None:
    assert load_calendar(tmp_path).version == CALENDAR.version
    file = tmp_path / "2026.csv"
    file.write_text("date,type,name\n2026-03-13,holiday,停工\n")
    first = load_calendar(tmp_path).version
    file.write_text("# a comment\ndate,type,name\n2026-03-13,holiday,停工\n")
    assert load_calendar(tmp_path).version == first
    file.write_text("date,type,name\n2026-03-14,holiday,停工\n")
    assert len({CALENDAR.version, first, load_calendar(tmp_path).version}) == 3
    assert len(first) <= 16


def test_every_bad_row_is_named_by_file_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "2026.csv").write_text(
        "# notice\ndate,type,name\n2026-02-30,holiday,x\n2026-03-02,party,x\n2027-01-01,holiday,x\n"
        "2026-03-02,make_up_workday,x\n2026-03-07,workday,x\n2026-03-09\n2026-03-10,holiday,x\n2026-03-10,holiday,x\n"
    )
    (tmp_path / "notice.csv").write_text("date,type,name\n")
    (tmp_path / "2025.csv").write_text("day,kind\n")
    faults = faults_of(tmp_path)
    assert [fault.split(": ")[0:2] for fault in faults if fault.startswith("2026")] == [
        ["2026.csv:3", "date"],
        ["2026.csv:4", "type"],
        ["2026.csv:5", "date"],
        ["2026.csv:6", "type"],
        ["2026.csv:7", "type"],
        ["2026.csv:8", "expected date,type,name, found 1 columns"],
        ["2026.csv:10", "date"],
    ]
    assert "2025.csv:1: the first row must be date,type,name" in faults
    assert "notice.csv:0: a calendar file is named by its year, such as 2027.csv" in faults


def test_a_site_without_calendar_folder_has_the_published_calendar(tmp_path: Path) -> None:
    assert load_calendar(tmp_path / "none").version == CALENDAR.version
