"""Other rules an order might have been given, to ask what the same history would have come to under them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from callback_scheduler.orders.deadlines import DUE_TIME
from callback_scheduler.orders.verdict import OWN_RULE, Facts, Rule
from routing.calendar import Calendar
from routing.working_time import DAY_MS, date_of, day_of, number_of, start_of

RULE_NAMES = ("own", "workday-10:00", "city-24h")
_CITY_MS = DAY_MS  # the city's rule: contact within 24 h, counted on workdays
_DUE_TIME_MS = (DUE_TIME.hour * 60 + DUE_TIME.minute) * 60_000


def rule_named(name: str, calendar: Calendar) -> Rule:
    """Return one of RULE_NAMES; KeyError if it is none of them."""
    made: dict[str, Callable[[Calendar], Rule]] = {
        "own": lambda _: OWN_RULE,
        "workday-10:00": _workday_ten,
        "city-24h": _city_24h,
    }
    return made[name](calendar)


def _workday_ten(calendar: Calendar) -> Rule:
    """Changning's rule by the calendar as it is known now: see `deadlines.deadline`."""
    is_workday, next_workday = _workdays(calendar)

    def due_ms(facts: Facts) -> int:
        day = day_of(facts.opened_ms)
        may_be_today = facts.counted_as == "after_hours" and facts.opened_ms - start_of(day) < _DUE_TIME_MS
        due_day = day if may_be_today and is_workday(day) else next_workday(day)
        return start_of(due_day) + _DUE_TIME_MS

    return Rule("workday-10:00", "工作日10:00前", due_ms)


def _city_24h(calendar: Calendar) -> Rule:
    """The city's rule: 24 hours, of which those of days off do not count."""
    is_workday, next_workday = _workdays(calendar)

    def due_ms(facts: Facts) -> int:
        day, begins_ms = day_of(facts.opened_ms), facts.opened_ms
        if not is_workday(day):
            day = next_workday(day)
            begins_ms = start_of(day)
        left_today_ms = start_of(day + 1) - begins_ms
        if left_today_ms >= _CITY_MS:
            return begins_ms + _CITY_MS
        return start_of(next_workday(day)) + _CITY_MS - left_today_ms

    return Rule("city-24h", "工作日24小时内", due_ms)


def _workdays(calendar: Calendar) -> tuple[Callable[[int], bool], Callable[[int], int]]:
    """Return whether a day is a workday, and the first workday after a day; days count from the epoch."""

    @cache
    def is_workday(day: int) -> bool:
        return calendar.day(date_of(day)).is_workday

    @cache
    def next_workday(day: int) -> int:
        return number_of(calendar.next_workday(date_of(day)).on)

    return is_workday, next_workday

