"""Whether the line, or one unit, is open at an instant, why, and until when.

What outranks what: the manual switch, then closures, then the windows of the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from config.hours import Closure, HoursSettings, Switch, Weekday, Window, WindowSettings
from routing.calendar import Calendar, DayType
from routing.clock import SHANGHAI, in_shanghai

__all__ = ["Closure", "Hours", "Opening", "Switch", "Window"]

_WEEKDAYS = tuple(Weekday)
_LOOK_AHEAD_DAYS = 60  # the longest closed stretch there is, a Spring Festival, has 10 days


@dataclass(frozen=True)
class Opening:
    """The answer: open or not, the reason (Chinese, short), and when that changes (None: not within 60 days)."""

    is_open: bool
    reason: str
    until: datetime | None


class Hours:
    """The hours of the line and its units. Pure: the calendar and the instant are passed in."""

    def __init__(self, settings: HoursSettings) -> None:
        self._settings = settings

    @property
    def settings(self) -> HoursSettings:
        """What these hours are of."""
        return self._settings

    @property
    def switch(self) -> Switch | None:
        """The manual switch as last set; it may have expired."""
        return self._settings.switch

    @property
    def closures(self) -> tuple[Closure, ...]:
        """All closures, past ones included."""
        return self._settings.closures

    @property
    def units_with_own(self) -> frozenset[str]:
        """The units that keep other hours than the line."""
        return frozenset(self._settings.units)

    def switched(self, switch: Switch | None) -> Hours:
        """Return the same hours with another manual switch, or with none."""
        return Hours(self._settings.model_copy(update={"switch": switch}))

    def windows(self, on: date, calendar: Calendar, unit_id: str | None = None) -> tuple[Window, ...]:
        """Return the windows of a day in order; closures and the switch are not in them."""
        rules: WindowSettings = self._settings.units.get(unit_id or "", self._settings)
        day_type = calendar.day(on).day_type
        if day_type is DayType.HOLIDAY:
            return ()
        if day_type is DayType.MAKE_UP_WORKDAY:
            return rules.workday
        usual = rules.workday if day_type is DayType.WORKDAY else ()
        return rules.weekdays.get(_WEEKDAYS[on.weekday()], usual)

    def opening(self, at: datetime, calendar: Calendar, unit_id: str | None = None) -> Opening:
        """Return whether the line (or the unit, by its own hours) is open at `at`."""
        at = in_shanghai(at)
        is_open, reason = self._state(at, calendar, unit_id)
        changes = self._possible_changes(at, calendar, unit_id)
        until = next((then for then in changes if self._state(then, calendar, unit_id)[0] is not is_open), None)
        return Opening(is_open, reason, until)

    def _state(self, at: datetime, calendar: Calendar, unit_id: str | None) -> tuple[bool, str]:
        switch = self._settings.switch
        if switch is not None and at < switch.until:
            return switch.state == "day", switch.reason
        for closure in self._closures_of(unit_id):
            if closure.start <= at < closure.end:
                return False, closure.reason
        windows = self.windows(at.date(), calendar, unit_id)
        if any(window.start <= at.time() < window.end for window in windows):
            return True, _open_reason(at, calendar)
        return False, _closed_reason(at, windows, calendar)

    def _possible_changes(self, at: datetime, calendar: Calendar, unit_id: str | None) -> Iterator[datetime]:
        """Yield, in order, the instants after `at` at which the state may change."""
        single = [edge for closure in self._closures_of(unit_id) for edge in (closure.start, closure.end)]
        if self._settings.switch is not None:
            single.append(self._settings.switch.until)
        for ahead in range(_LOOK_AHEAD_DAYS):
            on = at.date() + timedelta(days=ahead)
            edges = [edge for window in self.windows(on, calendar, unit_id) for edge in (window.start, window.end)]
            instants = [datetime.combine(on, edge, SHANGHAI) for edge in edges]
            instants += (instant for instant in single if instant.date() == on)
            yield from sorted(instant for instant in instants if instant > at)

    def _closures_of(self, unit_id: str | None) -> Iterator[Closure]:
        return (closure for closure in self._settings.closures if not closure.units or unit_id in closure.units)


def _open_reason(at: datetime, calendar: Calendar) -> str:
    return "调休上班" if calendar.day(at.date()).day_type is DayType.MAKE_UP_WORKDAY else "工作时间"


def _closed_reason(at: datetime, windows: tuple[Window, ...], calendar: Calendar) -> str:
    if not windows:
        day = calendar.day(at.date())
        if day.day_type is DayType.HOLIDAY:
            return f"{day.name}放假"
        return "周末休息" if day.day_type is DayType.WEEKEND else "今日不办公"
    if at.time() < windows[0].start:
        return "未到上班时间"
    if at.time() >= windows[-1].end:
        return "已过下班时间"
    return "午间休息" if len(windows) == 2 else "中间休息"
