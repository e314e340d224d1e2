"""Open or closed, why, and until when."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config import yaml_lines
from config.hours import HoursSettings
from config.hours_file import hours_of, hours_text
from routing.calendar import Calendar
from routing.clock import SHANGHAI
from routing.hours import Hours, Switch

CALENDAR = Calendar()
LUNCH = ("09:00-12:00", "13:30-17:30")


def at(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=SHANGHAI)


def hours(**keys: object) -> Hours:
    return Hours(HoursSettings.model_validate({"workday": LUNCH, **keys}))


def opening(written: str, unit_id: str | None = None, **keys: object) -> tuple[bool, str, str | None]:
    answer = hours(**keys).opening(at(written), CALENDAR, unit_id)
    return answer.is_open, answer.reason, f"{answer.until:%Y-%m-%dT%H:%M}" if answer.until else None


@pytest.mark.parametrize(
    ("when", "is_open", "reason", "until"),
    [
        ("2026-02-24T08:59", False, "未到上班时间", "2026-02-24T09:00"),
        ("2026-02-24T09:00", True, "工作时间", "2026-02-24T12:00"),
        ("2026-02-24T12:00", False, "午间休息", "2026-02-24T13:30"),
        ("2026-02-24T12:30", False, "午间休息", "2026-02-24T13:30"),
        ("2026-02-24T17:29", True, "工作时间", "2026-02-24T17:30"),
        ("2026-02-24T17:30", False, "已过下班时间", "2026-02-25T09:00"),
        ("2026-02-14T10:00", True, "调休上班", "2026-02-14T12:00"),
        ("2026-02-14T18:00", False, "已过下班时间", "2026-02-24T09:00"),
        ("2026-02-18T10:00", False, "春节放假", "2026-02-24T09:00"),
        ("2026-03-01T10:00", False, "周末休息", "2026-03-02T09:00"),
    ],
)
def test_line_is_open_in_the_windows_of_workdays_and_make_up_workdays(
    when: str, is_open: bool, reason: str, until: str
) -> None:
    assert opening(when) == (is_open, reason, until)


def test_an_instant_of_another_zone_is_taken_in_shanghai() -> None:
    utc = datetime.fromisoformat("2026-02-24T02:00+00:00")
    assert hours().opening(utc, CALENDAR).is_open


def test_a_unit_has_its_own_hours() -> None:
    units = {"service_center": {"workday": ["09:00-17:30"]}}
    assert opening("2026-02-24T12:30", "service_center", units=units) == (True, "工作时间", "2026-02-24T17:30")
    assert opening("2026-02-24T12:30", "tax", units=units)[0] is False
    assert opening("2026-02-24T12:30", units=units)[0] is False


def test_a_weekday_may_differ_but_not_on_a_make_up_workday_or_a_holiday() -> None:
    weekdays = {"friday": ["09:00-11:00"], "saturday": ["10:00-11:00"], "monday": []}
    assert opening("2026-02-27T11:30", weekdays=weekdays)[0] is False
    assert opening("2026-03-07T10:30", weekdays=weekdays) == (True, "工作时间", "2026-03-07T11:00")
    assert opening("2026-02-28T09:30", weekdays=weekdays)[:2] == (True, "调休上班")
    assert opening("2026-02-20T10:00", weekdays=weekdays)[:2] == (False, "春节放假")
    assert opening("2026-03-02T10:00", weekdays=weekdays) == (False, "今日不办公", "2026-03-03T09:00")


def test_a_closure_closes_and_its_end_opens_again() -> None:
    closures = [{"start": "2026-02-24T10:15", "end": "2026-02-24T11:00", "reason": "系统升级"}]
    assert opening("2026-02-24T10:00", closures=closures) == (True, "工作时间", "2026-02-24T10:15")
    assert opening("2026-02-24T10:15", closures=closures) == (False, "系统升级", "2026-02-24T11:00")
    assert opening("2026-02-24T11:00", closures=closures)[0] is True


def test_a_closure_over_midnight_lasts_until_the_next_window() -> None:
    closures = [{"start": "2026-02-24T16:00", "end": "2026-02-25T08:00", "reason": "停电"}]
    assert opening("2026-02-24T16:30", closures=closures) == (False, "停电", "2026-02-25T09:00")


def test_a_closure_of_one_unit_leaves_the_line_open() -> None:
    closures = [{"start": "2026-02-24T09:00", "end": "2026-02-24T12:00", "reason": "搬迁", "units": ["tax"]}]
    assert opening("2026-02-24T10:00", "tax", closures=closures)[:2] == (False, "搬迁")
    assert opening("2026-02-24T10:00", "market", closures=closures)[0] is True
    assert opening("2026-02-24T10:00", closures=closures)[0] is True


def test_the_switch_outranks_windows_and_closures_until_it_expires() -> None:
    night = Switch(state="night", reason="台风停工", until=at("2026-02-24T11:00"))
    day = Switch(state="day", reason="夜间演练", until=at("2026-02-24T22:00"))
    rules = hours(closures=[{"start": "2026-02-24T21:00", "end": "2026-02-24T21:30", "reason": "维护"}])
    closed = rules.switched(night).opening(at("2026-02-24T10:00"), CALENDAR)
    assert (closed.is_open, closed.reason, closed.until) == (False, "台风停工", at("2026-02-24T11:00"))
    assert rules.switched(night).opening(at("2026-02-24T11:00"), CALENDAR).is_open
    opened = rules.switched(day).opening(at("2026-02-24T21:10"), CALENDAR)
    assert (opened.is_open, opened.reason, opened.until) == (True, "夜间演练", at("2026-02-24T22:00"))
    assert not rules.switched(day).switched(None).opening(at("2026-02-24T21:10"), CALENDAR).is_open


def test_closed_for_months_has_no_known_end() -> None:
    closures = [{"start": "2026-01-01T00:00", "end": "2026-12-31T00:00", "reason": "迁址"}]
    assert opening("2026-02-24T10:00", closures=closures) == (False, "迁址", None)


def test_windows_that_touch_are_one() -> None:
    assert opening("2026-02-24T10:00", workday=["13:00-17:30", "09:00-13:00"])[2] == "2026-02-24T17:30"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"workday": ["12:00-09:00"]}, "closes before it opens"),
        ({"workday": ["09:00-12:00", "11:00-14:00"]}, "overlap at 11:00"),
        ({"workday": ["9-12"]}, "HH:MM-HH:MM"),
        ({"workday": []}, "at least 1"),
        ({"weekdays": {"funday": []}}, "funday"),
        ({"closures": [{"start": "2026-02-24T12:00", "end": "2026-02-24T12:00", "reason": "x"}]}, "ends before"),
        ({"closures": [{"start": "2026-02-24T12:00", "end": "2026-02-24T13:00", "reason": ""}]}, "reason"),
        ({"switch": {"state": "night", "reason": "x"}}, "until"),
        ({"switch": {"state": "dusk", "reason": "x", "until": "2026-02-24T12:00"}}, "state"),
    ],
)
def test_hours_that_make_no_sense_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        hours(**keys)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)))  # noqa: DTZ001
def test_nothing_changes_before_until_and_it_changes_at_until(when: datetime) -> None:
    rules = hours(
        weekdays={"friday": ["09:00-11:30"]},
        closures=[{"start": "2026-03-13T14:00", "end": "2026-03-16T10:00", "reason": "系统升级"}],
        switch={"state": "night", "reason": "停工", "until": "2026-01-09T15:00"},
    )
    now = when.replace(tzinfo=SHANGHAI)
    first = rules.opening(now, CALENDAR)
    assert first.until is not None
    assert first.until > now
    assert rules.opening(first.until, CALENDAR).is_open is not first.is_open
    step = (first.until - now) / 7
    for n in range(7):
        assert rules.opening(now + n * step, CALENDAR).is_open is first.is_open
    assert rules.opening(first.until - timedelta(microseconds=1), CALENDAR).is_open is first.is_open


def test_windows_of_a_day_are_told_in_order() -> None:
    starts = [f"{window.start:%H:%M}" for window in hours().windows(date(2026, 2, 24), CALENDAR)]
    assert starts == ["09:00", "13:30"]


@pytest.mark.parametrize("written", [
    {},
    {"workday": ["08:00:30-12:00"], "weekdays": {"friday": [], "saturday": ["09:00-11:00", "14:00-16:00"]}},
    {"units": {"tax": {"workday": ["10:00-16:00"], "weekdays": {"monday": ["08:30-12:00"]}}, "no": {"workday":
     ["09:00-10:00"]}, "甲 #1": {"workday": ["09:00-10:00"]}}},
    {"closures": [
        {"start": "2026-02-24T10:15", "end": "2026-02-24T11:00:05", "reason": "停电：\"一期\" #2 \n{a: b}"},
        {"start": "2026-02-24T10:15Z", "end": "2026-02-25T10:15Z", "reason": "~", "units": ["tax", "甲"]},
    ]},
])  # fmt: skip
def test_hours_written_as_a_file_are_read_as_they_were(tmp_path: Path, written: dict[str, Any]) -> None:
    settings = HoursSettings.model_validate(written)
    file = tmp_path / "hours.yaml"
    file.write_text(hours_text(settings), encoding="utf-8")
    assert hours_of(yaml_lines.read(file)) == settings
