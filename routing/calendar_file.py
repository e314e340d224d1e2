"""The CSV files a site lays over the published calendar: one file a year, `2027.csv`.

    # 国务院办公厅关于2027年部分节假日安排的通知
    date,type,name
    2027-01-01,holiday,元旦
    2027-02-14,make_up_workday,春节

As a spreadsheet saves it, too: in GB18030, dates like 2027/1/1 or 2027年1月1日, empty cells at the end of a row, and
the header in Chinese (日期,类型,名称). Lines that start with `#` are comments. `type` is holiday, make_up_workday,
workday or weekend, or in the notice's own words 放假, 上班 (on a weekend), 休息. Days that are not listed are what
their weekday makes them (or, in a year that chinesecalendar knows, what it says).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path

from config.errors import ConfigError, Fault


class DayType(Enum):
    """What sort of day a day is."""

    WORKDAY = "workday"
    """Monday to Friday, nothing else said."""
    WEEKEND = "weekend"
    """Saturday or Sunday, nothing else said."""
    HOLIDAY = "holiday"
    """Days off of a holiday, the weekend within them included."""
    MAKE_UP_WORKDAY = "make_up_workday"
    """A weekend day worked for a day off elsewhere (调休上班)."""


_COLUMNS = ["date", "type", "name"]
_COLUMNS_IN_CHINESE = ["日期", "类型", "名称"]
_FILE_NAME = re.compile(r"(?P<year>\d{4})\.csv", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
# No order has a deadline outside of these, and beyond them days cannot be counted any more.
FIRST_YEAR, LAST_YEAR = 2004, 2100
_TYPES = {day_type.value: day_type for day_type in DayType} | {
    "放假": DayType.HOLIDAY,
    "上班": DayType.MAKE_UP_WORKDAY,
    "休息": DayType.WEEKEND,
}
_SATURDAY = 5


@dataclass(frozen=True)
class ListedDay:
    """One row of a calendar file."""

    on: date
    day_type: DayType
    name: str
    file: str


def files_of(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the CSV files of folders by name; one of a later folder stands in for that of the same name before."""
    return {path.name.lower(): path for folder in folders for path in _in_folder(folder) if _is_csv(path)}


def strangers_in(folder: Path) -> list[str]:
    """Return the names of files in a folder of calendars that are none and are not read, such as 2027.xlsx."""
    return [path.name for path in _in_folder(folder) if not _is_csv(path) and path.suffix.lower() != ".md"]


def _in_folder(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def text_of(content: bytes) -> str:
    """Return the text of a CSV file, in UTF-8 or as a Chinese spreadsheet saves it; ValueError if it is neither."""
    try:
        return content.decode("utf-8-sig")  # spreadsheets put a byte order mark in front
    except UnicodeDecodeError:
        return content.decode("gb18030")


def read_files(files: Mapping[str, Path]) -> tuple[dict[date, ListedDay], list[Fault]]:
    """Return the rows of CSV files by date, and every fault found on the way."""
    days: dict[date, ListedDay] = {}
    faults: list[Fault] = []
    for _, path in sorted(files.items()):
        try:
            days |= _read_file(path)
        except ConfigError as wrong:
            faults += wrong.faults
    return days, faults


def whole_years_only(
    files: Mapping[str, Path], days: Mapping[date, ListedDay], statutory: Mapping[int, Mapping[date, str]]
) -> Iterator[Fault]:
    """Yield a fault for each statutory day that the file of its year does not list as holiday."""
    for year, by_law in statutory.items():
        for on, name in by_law.items():
            if on not in days or days[on].day_type is not DayType.HOLIDAY:
                yield Fault(str(files[f"{year}.csv"]), 0, f"{on}", f"{name} is a day off by law: list it as holiday")


def _read_file(path: Path) -> dict[date, ListedDay]:
    named = _FILE_NAME.fullmatch(path.name)
    if named is None:
        raise ConfigError([Fault(str(path), 0, "", "a calendar file is named by its year, such as 2027.csv")])
    try:
        text = text_of(path.read_bytes())
    except (OSError, ValueError) as wrong:
        raise ConfigError([Fault(str(path), 0, "", f"cannot be read (UTF-8 or GB18030 expected): {wrong}")]) from wrong
    rows = _rows(text)
    line, header = next(rows, (0, []))
    if [name.lower() for name in header] not in (_COLUMNS, _COLUMNS_IN_CHINESE):
        raise ConfigError([Fault(str(path), line, "", f"the first row must be {','.join(_COLUMNS)}")])
    days: dict[date, ListedDay] = {}
    faults: list[Fault] = []
    for line, row in rows:
        try:
            day = _day(row, path.name, int(named["year"]))
            if day.on in days:
                raise _BadCell("date", f"{day.on} is listed twice")
            days[day.on] = day
        except _BadCell as wrong:
            faults.append(Fault(str(path), line, wrong.column, str(wrong)))
    if faults:
        raise ConfigError(faults)
    return days


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with its line number, without comments and blank lines."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            cells = [cell.strip() for cell in next(csv.reader([line]))]
            while cells and not cells[-1]:
                cells.pop()  # a spreadsheet fills every row up to the longest
            if cells and not cells[0].startswith("#"):
                yield number, cells


class _BadCell(ValueError):
    """A cell that says nothing usable."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def _date(cell: str, year: int) -> date:
    written = _DATE.fullmatch(cell)
    try:
        if written is None:
            raise ValueError(cell)
        on = date(*map(int, written.groups()))
    except ValueError as wrong:
        raise _BadCell("date", f"{cell!r} is no date such as {year}-10-01") from wrong
    if not FIRST_YEAR <= on.year <= LAST_YEAR:
        raise _BadCell("date", f"{cell} lies outside of the years {FIRST_YEAR} to {LAST_YEAR}")
    return on


def _day(row: list[str], file: str, year: int) -> ListedDay:
    if len(row) not in (2, 3):
        raise _BadCell("", f"expected {','.join(_COLUMNS)}, found {len(row)} columns")
    on = _date(row[0], year)
    if on.year != year:
        raise _BadCell("date", f"{on} does not belong into {file}")
    if row[1] not in _TYPES:
        raise _BadCell("type", f"{row[1]!r} is none of {', '.join(_TYPES)}")
    day_type = _TYPES[row[1]]
    is_weekend_day = on.weekday() >= _SATURDAY
    if day_type in (DayType.WEEKEND, DayType.MAKE_UP_WORKDAY) and not is_weekend_day:
        raise _BadCell("type", f"{on} is no Saturday or Sunday, so it cannot be {day_type.value}")
    if day_type is DayType.WORKDAY and is_weekend_day:
        raise _BadCell("type", f"{on} is a Saturday or Sunday: write make_up_workday")
    return ListedDay(on, day_type, row[2] if len(row) == 3 else "", file)
