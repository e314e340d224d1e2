"""Working time between two instants: what a unit could have used of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.hours import HoursSettings
from routing.calendar import Calendar
from routing.clock import SHANGHAI
from routing.hours import Hours
from routing.working_time import MINUTE_MS, WorkingTime, date_of, day_of, number_of, start_of

CALENDAR = Calendar()
HOURS = Hours(HoursSettings.model_validate({"units": {"service_center": {"workday": ["09:00-17:30"]}}}))
WORKING = WorkingTime(HOURS, CALENDAR)
MONDAY = datetime(2026, 2, 9, tzinfo=SHANGHAI)  # of the week before the Spring Festival, with a make-up Saturday


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@pytest.mark.parametrize(
    ("start", "end", "unit_id", "minutes"),
    [
        ("2026-03-03T20:00", "2026-03-04T09:10", "tax", 10),  # a night
        ("2026-03-04T11:50", "2026-03-04T13:40", "tax", 20),  # lunch
        ("2026-03-04T11:50", "2026-03-04T13:40", "service_center", 110),  # whose people eat in turns
        ("2026-02-14T17:00", "2026-02-24T09:30", "tax", 60),  # a make-up Saturday, then nine days of the Festival
        ("2026-03-04T09:10", "2026-03-04T09:10", "tax", 0),
    ],
)
def test_only_time_at_work_counts(start: str, end: str, unit_id: str, minutes: int) -> None:
    from_ms, until_ms = (ms(datetime.fromisoformat(f"{at}+08:00")) for at in (start, end))
    assert WORKING.between_ms(from_ms, until_ms, unit_id) == minutes * MINUTE_MS


@given(st.integers(0, 60 * 24 * 20), st.integers(0, 60 * 24 * 3), st.sampled_from(["tax", "service_center"]))
@settings(max_examples=60, deadline=None)
def test_it_is_the_number_of_minutes_at_which_the_unit_is_open(begins: int, lasts: int, unit_id: str) -> None:
    start = MONDAY + timedelta(minutes=begins)
    open_minutes = sum(
        HOURS.opening(start + timedelta(minutes=minute), CALENDAR, unit_id).is_open for minute in range(0, lasts, 10)
    )
    counted = WORKING.between_ms(ms(start), ms(start + timedelta(minutes=lasts)), unit_id) / MINUTE_MS
    assert abs(counted - open_minutes * 10) <= 10 * 4  # each edge of a window may cut a stretch of ten minutes


@given(st.integers(0, 2_000_000_000_000))
def test_a_day_in_shanghai_begins_at_its_midnight(at_ms: int) -> None:
    day = day_of(at_ms)
    midnight = datetime.fromtimestamp(start_of(day) / 1000, SHANGHAI)
    assert at_ms < 694_224_000_000 or (midnight.hour, midnight.minute) == (0, 0)  # summer time ended in 1991
    assert number_of(date_of(day)) == day
    assert start_of(day) <= at_ms < start_of(day + 1)
