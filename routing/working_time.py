"""How much working time lies between two instants, counted by the hours of the line or of a unit."""

from __future__ import annotations

from datetime import date, time

from routing.calendar import Calendar
from routing.hours import Hours

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
# Asia/Shanghai has had no summer time since 1991, and no order is older than that.
_OFFSET_MS = 8 * 60 * MINUTE_MS
_EPOCH = date(1970, 1, 1).toordinal()
_Windows = tuple[tuple[int, int], ...]  # opens, closes: milliseconds since midnight


def day_of(at_ms: int) -> int:
    """Return the day in Shanghai, counted from 1970-01-01, of an instant in milliseconds since the epoch."""
    return (at_ms + _OFFSET_MS) // DAY_MS


def start_of(day: int) -> int:
    """Return the instant at which a day begins in Shanghai."""
    return day * DAY_MS - _OFFSET_MS


def date_of(day: int) -> date:
    """Return the date of a day counted from 1970-01-01."""
    return date.fromordinal(day + _EPOCH)


def number_of(on: date) -> int:
    """Return a date as a day counted from 1970-01-01."""
    return on.toordinal() - _EPOCH


class WorkingTime:
    """Counts working time by windows of the day; closures and the switch of a site are not working time lost.

    What was counted is kept: a report asks 100,000 times about a few hundred days.
    """

    def __init__(self, hours: Hours, calendar: Calendar) -> None:
        self._hours = hours
        self._calendar = calendar
        self._with_own_hours = hours.units_with_own
        self._windows: dict[tuple[str, int], _Windows] = {}
        self._days: dict[tuple[str, int, int], tuple[int, _Windows, _Windows]] = {}

    def between_ms(self, start_ms: int, end_ms: int, unit_id: str) -> int:
        """Return the working time from `start_ms` to `end_ms` (instants, milliseconds) by the hours of `unit_id`."""
        first, from_ms = divmod(start_ms + _OFFSET_MS, DAY_MS)
        last, until_ms = divmod(end_ms + _OFFSET_MS, DAY_MS)
        if unit_id not in self._with_own_hours:
            unit_id = ""  # the days of the line are counted once for all
        key = (unit_id, first, last)
        found = self._days.get(key)
        if found is None:
            found = self._days[key] = self._of_days(unit_id, first, last)
        worked_ms, on_first, on_last = found
        for opens_ms, closes_ms in on_first:
            if from_ms > opens_ms:
                worked_ms -= (closes_ms if closes_ms < from_ms else from_ms) - opens_ms
        for opens_ms, closes_ms in on_last:
            if until_ms > opens_ms:
                worked_ms += (closes_ms if closes_ms < until_ms else until_ms) - opens_ms
        return worked_ms

    def _of_days(self, unit_id: str, first: int, last: int) -> tuple[int, _Windows, _Windows]:
        """Return the working time of the days from `first` up to, not including, `last`, and the windows of both."""
        days = (self._of_day(unit_id, day) for day in range(first, last))
        whole_ms = sum(closes_ms - opens_ms for windows in days for opens_ms, closes_ms in windows)
        return whole_ms, self._of_day(unit_id, first), self._of_day(unit_id, last)

    def _of_day(self, unit_id: str, day: int) -> _Windows:
        key = (unit_id, day)
        if key not in self._windows:
            found = self._hours.windows(date_of(day), self._calendar, unit_id)
            windows = ((_since_midnight_ms(window.start), _since_midnight_ms(window.end)) for window in found)
            self._windows[key] = tuple(windows)
        return self._windows[key]


def _since_midnight_ms(at: time) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1000
