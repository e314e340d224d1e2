"""Which days are workdays, from whom we know it, and how far that knowledge reaches.

Three sources, the first that speaks wins:

1. CSV files of the site (`calendar/2027.csv`): the State Council's notice, loaded as soon as it is out.
2. chinesecalendar, up to the last year it has a notice for.
3. Weekends, statutory days and the days in lieu of those on a weekend: a guess, since the days moved around a holiday
   (调休) are not known. *Provisional*.

Only `load_calendar` reads files; a `Calendar` is pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import chinese_calendar
import structlog

from config.errors import ConfigError
from routing.calendar_file import DayType, ListedDay, files_of, read_files, strangers_in, whole_years_only

log = structlog.get_logger()

_PUBLISHED_HOLIDAYS: Mapping[date, str] = chinese_calendar.constants.holidays
_PUBLISHED_MAKE_UP_WORKDAYS: Mapping[date, str] = chinese_calendar.constants.workdays
FIRST_PUBLISHED_YEAR = min(_PUBLISHED_HOLIDAYS).year
LAST_PUBLISHED_YEAR = max(_PUBLISHED_HOLIDAYS).year
_PUBLISHED = f"chinesecalendar {version('chinesecalendar')}"
_GUESSED = "weekends and statutory days"
_SATURDAY = 5
# So near to the next holiday the day in lieu may be taken there: 中秋节 of 2015, a Sunday, before 国庆节.
_TAKEN_TOGETHER = timedelta(days=7)

__all__ = ["FIRST_PUBLISHED_YEAR", "LAST_PUBLISHED_YEAR", "Calendar", "Day", "DayType", "load_calendar"]


@dataclass(frozen=True)
class Day:
    """What sort of day it is, its holiday's name ("" if none) and who says so.

    `is_provisional`: no notice for that year is known, so a later one may make it another sort of day.
    """

    on: date
    day_type: DayType
    name: str
    source: str
    is_provisional: bool

    @property
    def is_workday(self) -> bool:
        """Whether people are at work."""
        return self.day_type in (DayType.WORKDAY, DayType.MAKE_UP_WORKDAY)


class Calendar:
    """The days of China, as far as notices are known, and a guess beyond.

    `listed` are days from files, which outrank chinesecalendar; `listed_years` maps each year that a file covers as a
    whole to that file's name.
    """

    def __init__(
        self, listed: Mapping[date, ListedDay] | None = None, listed_years: Mapping[int, str] | None = None
    ) -> None:
        self._listed = dict(listed or {})
        self._listed_years = dict(listed_years or {})
        self.covers_until = self._last_known_day()
        self.version = f"{self.covers_until.year}-{self._fingerprint()}"

    def day(self, on: date) -> Day:
        """Return what sort of day `on` is."""
        if on in self._listed:
            row = self._listed[on]
            return Day(on, row.day_type, row.name, row.file, is_provisional=False)
        if on.year in self._listed_years:
            return _plain_day(on, self._listed_years[on.year], is_provisional=False)
        if FIRST_PUBLISHED_YEAR <= on.year <= LAST_PUBLISHED_YEAR:
            return _published_day(on)
        name = _statutory_days(on.year).get(on) or _days_in_lieu(on.year).get(on)
        if name is not None:
            return Day(on, DayType.HOLIDAY, name, _GUESSED, is_provisional=True)
        return _plain_day(on, _GUESSED, is_provisional=True)

    def next_workday(self, after: date) -> Day:
        """Return the first workday strictly after `after`."""
        day = self.day(after + timedelta(days=1))
        while not day.is_workday:
            day = self.day(day.on + timedelta(days=1))
        return day

    def _last_known_day(self) -> date:
        year = LAST_PUBLISHED_YEAR
        while year + 1 in self._listed_years:
            year += 1
        return date(year, 12, 31)

    def _fingerprint(self) -> str:
        """Return eight characters that change when any source does."""
        rows = (f"{row.on},{row.day_type.value},{row.name},{row.file}" for _, row in sorted(self._listed.items()))
        years = (f"{year}:{file}" for year, file in sorted(self._listed_years.items()))
        sources = (_PUBLISHED, f"holidays {version('holidays')}", *rows, *years)
        return sha256("\n".join(sources).encode()).hexdigest()[:8]


def load_calendar(*folders: Path) -> Calendar:
    """Return the calendar with the CSV files of folders over chinesecalendar; no folder is the same as an empty one.

    A file of a later folder stands in for the file of the same name in those before it.
    Raises ConfigError with every bad row (file, line and key). The file of a year that chinesecalendar does not know
    must hold that year's statutory days: half a notice would be taken for a whole one.
    """
    for folder in folders:
        if strangers := strangers_in(folder):
            log.warning("calendar_files_not_read", folder=str(folder), files=strangers, read="YYYY.csv only")
    files = files_of(folders)
    days, faults = read_files(files)
    years = {on.year: row.file for on, row in days.items() if not _is_published(on.year)}
    faults += whole_years_only(files, days, {year: _statutory_days(year) for year in years})
    if faults:
        raise ConfigError(faults)
    return Calendar(days, years)


def _is_published(year: int) -> bool:
    return FIRST_PUBLISHED_YEAR <= year <= LAST_PUBLISHED_YEAR


def _plain_day(on: date, source: str, is_provisional: bool) -> Day:
    day_type = DayType.WEEKEND if on.weekday() >= _SATURDAY else DayType.WORKDAY
    return Day(on, day_type, "", source, is_provisional)


def _published_day(on: date) -> Day:
    for days, day_type in (
        (_PUBLISHED_HOLIDAYS, DayType.HOLIDAY),
        (_PUBLISHED_MAKE_UP_WORKDAYS, DayType.MAKE_UP_WORKDAY),
    ):
        if on in days:
            return Day(on, day_type, chinese_calendar.Holiday(days[on]).chinese, _PUBLISHED, is_provisional=False)
    return _plain_day(on, _PUBLISHED, is_provisional=False)


@lru_cache(maxsize=16)
def _statutory_days(year: int) -> Mapping[date, str]:
    """Return the days off by law (全国年节及纪念日放假办法), without those moved to or from weekends."""
    import holidays  # noqa: PLC0415 - it takes a while, and only years without a notice need it

    by_law = holidays.country_holidays("CN", years=year, language="zh_CN", observed=False)
    return {on: name for on, name in by_law.items() if not name.startswith("休息日")}


@lru_cache(maxsize=16)
def _days_in_lieu(year: int) -> Mapping[date, str]:
    """Return the workdays off in lieu of statutory days on a Saturday or Sunday, the first possible after each.

    放假办法 art. 6 gives them; only the notice says which they are. A guess that is too early has a unit ring early,
    one that is too late breaks a promise, so a day that may be taken elsewhere is not counted before.
    """
    by_law = {on: name for on, name in _statutory_days(year).items() if "延长" not in name}  # of 2020, by no law
    in_lieu: dict[date, str] = {}
    for on, name in sorted(by_law.items()):
        if on.weekday() < _SATURDAY:
            continue
        day = on
        while day.weekday() >= _SATURDAY or day in by_law or day in in_lieu:
            after = [later for later in by_law if day < later <= day + _TAKEN_TOGETHER]
            day = max(after, default=day) + timedelta(days=1)
        in_lieu[day] = f"{name}补假"
    return in_lieu
