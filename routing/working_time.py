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
        self._windows: dict[tuple[str, int], tuple[tuple[int, int], ...]] = {}
        self._sums: dict[tuple[str, int, int], int] = {}

    def between_ms(self, start_ms: int, end_ms: int, unit_id: str) -> int:
        """Return the working time from `start_ms` to `end_ms` (instants, milliseconds) by the hours of `unit_id`."""
        first, last = day_of(start_ms), day_of(end_ms)
        until_start = self._of_day_ms(unit_id, first, start_ms - start_of(first))
        until_end = self._of_day_ms(unit_id, last, end_ms - start_of(last))
        return self._of_days_ms(unit_id, first, last) - until_start + until_end

    def _of_days_ms(self, unit_id: str, first: int, last: int) -> int:
        """Return the working time of the days from `first` up to, not including, `last`."""
        key = (unit_id, first, last)
        if key not in self._sums:
            self._sums[key] = sum(self._of_day_ms(unit_id, day, DAY_MS) for day in range(first, last))
        return self._sums[key]

    def _of_day_ms(self, unit_id: str, day: int, until_ms: int) -> int:
        """Return the working time of a day up to `until_ms` after its midnight."""
        key = (unit_id, day)
        windows = self._windows.get(key)
        if windows is None:
            found = self._hours.windows(date_of(day), self._calendar, unit_id)
            windows = tuple((_since_midnight_ms(window.start), _since_midnight_ms(window.end)) for window in found)
            self._windows[key] = windows
        worked_ms = 0
        for start_ms, end_ms in windows:
            if until_ms > start_ms:
                worked_ms += (end_ms if end_ms < until_ms else until_ms) - start_ms
        return worked_ms


def _since_midnight_ms(at: time) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1000
