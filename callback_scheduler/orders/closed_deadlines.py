"""Closures that cover the hour at which orders are due: no deadline moves by itself, so somebody must say it shall."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from callback_scheduler.orders.deadlines import DUE_TIME
from config.hours import Closure
from routing.calendar import Calendar
from routing.clock import SHANGHAI, in_shanghai


@dataclass(frozen=True, slots=True)
class ClosedDeadline:
    """A workday at whose 10:00 it is closed; `calendar_row` makes it a day off, and moves the deadlines.

    It is "" where only some units are closed: the calendar is everybody's, and what they owe stays due.
    """

    on: date
    closure: Closure
    calendar_row: str


def closed_deadlines(closures: Iterable[Closure], calendar: Calendar, at: datetime) -> Iterator[ClosedDeadline]:
    """Yield the workdays after `at` at whose hour of deadlines it is closed, closure by closure."""
    for closure in closures:
        on, last = in_shanghai(max(closure.start, at)).date(), in_shanghai(closure.end).date()
        while on <= last:
            due_at = datetime.combine(on, DUE_TIME, SHANGHAI)
            if closure.start <= due_at < closure.end and due_at > at and calendar.day(on).is_workday:
                reason = closure.reason.replace(",", "，").replace("\n", " ")
                yield ClosedDeadline(on, closure, "" if closure.units else f"{on},holiday,{reason}")
            on += timedelta(days=1)
