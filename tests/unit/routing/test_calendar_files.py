"""Calendar files as clerks save them, and what a year without a notice is taken for."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from config.errors import ConfigError
from config.hours import HoursSettings
from ivr.speech.check_command import warnings_of
from routing import calendar as calendars
from routing.calendar import FIRST_PUBLISHED_YEAR, LAST_PUBLISHED_YEAR, Calendar, DayType, load_calendar
from tests.unit.routing.test_calendar import NOTICE_OF_2027, faults_of

PUBLISHED = Calendar()
WANTED = "日期,类型,名称"


def as_excel_saves_it(text: str, header: str = WANTED) -> bytes:
    """Return a notice as a Chinese spreadsheet writes it: GBK, 2027/1/1, every row filled up to the longest."""
    rows = []
    for line in text.splitlines():
        day, comma, rest = line.partition(",")
        row = header if day == "date" else line
        if comma and day[:1].isdigit():
            year, month, of_month = map(int, day.split("-"))
            row = f"{year}/{month}/{of_month},{rest}"
        rows.append(row + "," * (4 - row.count(",")))
    return "\r\n".join(rows).encode("gb18030")


@pytest.mark.parametrize("header", [WANTED, "date,type,name", "Date,Type,Name"])
@pytest.mark.parametrize("name", ["2027.csv", "2027.CSV"])
def test_a_notice_saved_by_a_chinese_spreadsheet_is_understood(tmp_path: Path, name: str, header: str) -> None:
    (tmp_path / "2027.csv").write_text(NOTICE_OF_2027, encoding="utf-8")
    as_written = load_calendar(tmp_path)
    (tmp_path / "2027.csv").unlink()
    (tmp_path / name).write_bytes(as_excel_saves_it(NOTICE_OF_2027, header))
    found = load_calendar(tmp_path)
    days = [date(2027, 1, 1) + timedelta(days=n) for n in range(365)]
    assert [(found.day(on).day_type, found.day(on).name) for on in days] == [
        (as_written.day(on).day_type, as_written.day(on).name) for on in days
    ]
    assert found.day(date(2027, 2, 20)).day_type is DayType.MAKE_UP_WORKDAY


@pytest.mark.parametrize("day", ["2027-01-01", "2027/1/1", "2027/01/01", "2027.1.1", "2027年1月1日"])
def test_a_date_is_written_in_many_ways(tmp_path: Path, day: str) -> None:
    (tmp_path / "2027.csv").write_text(NOTICE_OF_2027.replace("2027-01-01", day), encoding="utf-8")
    assert load_calendar(tmp_path).day(date(2027, 1, 1)).name == "元旦"


@pytest.mark.parametrize("day", ["2027/13/1", "1/1/2027", "2027/2/30", "20270101", "9999-12-31", "0001-01-01"])
def test_what_is_no_day_that_may_be_meant_is_a_fault(tmp_path: Path, day: str) -> None:
    (tmp_path / f"{day[:4] if day[4] == '-' else 2027}.csv").write_text(f"date,type,name\n{day},holiday,x\n")
    (fault,) = faults_of(tmp_path)
    assert day in fault


def test_bytes_that_are_no_text_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "2027.csv").write_bytes(b"\xff\xff\x00\x81")
    with pytest.raises(ConfigError, match="GB18030"):
        load_calendar(tmp_path)


def test_files_that_are_not_read_are_named(tmp_path: Path) -> None:
    for name in ("2027.xlsx", "2027.csv.txt", "放假.docx", ".2027.csv.swp"):
        (tmp_path / name).write_text("x")
    with capture_logs() as logs:
        load_calendar(tmp_path)
    (told,) = logs
    assert (told["event"], told["files"]) == ("calendar_files_not_read", ["2027.csv.txt", "2027.xlsx", "放假.docx"])


@pytest.mark.parametrize(
    ("today", "is_warned"),
    [("2026-10-31", False), ("2026-11-01", True), ("2026-12-31", True), ("2027-01-01", True)],
)
def test_a_check_warns_in_time_that_holidays_are_missing(tmp_path: Path, today: str, is_warned: bool) -> None:
    (tmp_path / "README.md").write_text("how to")
    settings = SimpleNamespace(calendar_dir=tmp_path, hours=HoursSettings())
    site: Any = SimpleNamespace(calendar=load_calendar(tmp_path), settings=settings)
    assert [("2027" in one) for one in warnings_of(site, date.fromisoformat(today))] == [True] * is_warned
    (tmp_path / "2027.csv").write_bytes(as_excel_saves_it(NOTICE_OF_2027))
    (tmp_path / "2028.xlsx").write_text("x")
    site.calendar = load_calendar(tmp_path)
    (stranger,) = warnings_of(site, date.fromisoformat(today))
    assert "2028.xlsx" in stranger


# -- years without a notice -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("called_on", "first_workday"),
    [("2027-09-30", "2027-10-06"), ("2027-04-30", "2027-05-05"), ("2027-02-05", "2027-02-11"),
     ("2027-12-31", "2028-01-04")],
)  # fmt: skip
def test_statutory_days_on_a_weekend_are_made_up_for_on_the_workdays_behind_them(
    called_on: str, first_workday: str
) -> None:
    day = PUBLISHED.next_workday(date.fromisoformat(called_on))
    assert (str(day.on), day.is_provisional) == (first_workday, True)
    before = PUBLISHED.day(day.on - timedelta(days=1))
    assert (before.day_type, before.is_provisional) == (DayType.HOLIDAY, True)


@pytest.mark.parametrize("year", range(2015, LAST_PUBLISHED_YEAR + 1))
def test_a_day_in_lieu_never_makes_the_guess_later_than_the_notice_did(
    monkeypatch: pytest.MonkeyPatch, year: int
) -> None:
    evenings = [date(year, 1, 1) + timedelta(days=n) for n in range(360)]
    with monkeypatch.context() as as_if_unpublished:
        as_if_unpublished.setattr(calendars, "LAST_PUBLISHED_YEAR", FIRST_PUBLISHED_YEAR - 1)
        guessed = [PUBLISHED.next_workday(on).on for on in evenings]
        as_if_unpublished.setattr(calendars, "_days_in_lieu", lambda year: {})
        without = [PUBLISHED.next_workday(on).on for on in evenings]
    really = [PUBLISHED.next_workday(on).on for on in evenings]
    both = list(zip(guessed, without, really, strict=True))
    # one that was later without it, too, is so for a Saturday or Sunday worked: only the notice knows those
    assert [(guess, real) for guess, plain, real in both if guess > real >= plain] == []
    assert sum(guess < real for guess, _, real in both) <= sum(plain < real for _, plain, real in both)
    if year == 2022:
        assert (date(2022, 1, 4), date(2022, 1, 3), date(2022, 1, 4)) in both
