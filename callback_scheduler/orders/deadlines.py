"""The deadline rule: by when a unit must ring an enterprise back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from routing.calendar import Calendar, Day, DayType
from routing.clock import SHANGHAI

# Changning District, notice of 2023-03-13: outside working hours the unit "contacts the enterprise before 10:00 on
# the workday". The version is kept with every order, so that history keeps the rule of its time.
DUE_TIME = time(10, 0)
RULE_VERSION = "workday-10:00/1"

CountedAs = Literal["after_hours", "missed_in_hours"]
_WEEKDAYS = "一二三四五六日"


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when an order must be settled, and why.

    `due_at` is aware, in Asia/Shanghai; `reason` is one Chinese sentence; `is_provisional` tells that a day between
    call and deadline lies beyond the published calendar, so that the date may still move.
    """

    due_at: datetime
    reason: str
    is_provisional: bool
    rule_version: str
    calendar_version: str
    counted_as: CountedAs


def deadline(calendar: Calendar, at: datetime, missed_in_hours: bool, *, is_online: bool = False) -> Deadline:
    """Return the deadline of an order whose call came in `at` (aware, any zone; ValueError if naive).

    Out of hours it is the first workday 10:00 strictly after the call; a call that was missed in working hours is
    due at 10:00 of the next workday, even if it came before 10:00. So is what a chat asked for in them (`is_online`).
    """
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone, so it is no instant")
    called_at = at.astimezone(SHANGHAI)
    called_on = calendar.day(called_at.date())
    is_due_same_day = not missed_in_hours and called_on.is_workday and called_at.time() < DUE_TIME
    due_on = called_on if is_due_same_day else calendar.next_workday(called_on.on)
    is_provisional = _is_provisional(calendar, called_on.on, due_on.on)
    return Deadline(
        due_at=datetime.combine(due_on.on, DUE_TIME, SHANGHAI),
        reason=_reason(called_at, called_on, due_on, missed_in_hours,
                       is_provisional=is_provisional, is_online=is_online),
        is_provisional=is_provisional,
        rule_version=RULE_VERSION,
        calendar_version=calendar.version,
        counted_as="missed_in_hours" if missed_in_hours else "after_hours",
    )


def deadline_by(calendar: Calendar, opened_at: datetime, counted_as: str, kind: str) -> Deadline:
    """Return the deadline an order would have been given if `calendar` had been known when it was opened."""
    return deadline(calendar, opened_at, counted_as == "missed_in_hours", is_online=kind == "online")


def _is_provisional(calendar: Calendar, first: date, last: date) -> bool:
    """Whether any day from `first` to `last` is only guessed: a holiday put among them would move the deadline."""
    days = range((last - first).days + 1)
    return any(calendar.day(first + timedelta(days=n)).is_provisional for n in days)


def _reason(
    called_at: datetime, called_on: Day, due_on: Day, missed: bool, *, is_provisional: bool, is_online: bool
) -> str:
    """One Chinese sentence a unit and a caller can follow with a calendar in hand."""
    when = ("在线转入" if is_online else "工作时段内无人接听") if missed else "非工作时段"
    if called_on.on == due_on.on:
        due = "当日为工作日，应于当日10:00前回电"
    else:
        first = "下一个工作日" if missed else "其后首个工作日"
        due = f"{first}为{_spoken_day(due_on, called_on.on.year)}，应于10:00前回电"
    doubt = f"；{due_on.on.year}年放假安排尚未载入，此时限为暂定" if is_provisional else ""
    return f"{_spoken_day(called_on, called_on.on.year)}{called_at:%H:%M}来电，{when}；{due}{doubt}。"


def _spoken_day(day: Day, year: int) -> str:
    """`2月14日（周六，调休上班日）`, with the year only where it is another than `year`."""
    named_year = f"{day.on.year}年" if day.on.year != year else ""
    about = f"周{_WEEKDAYS[day.on.weekday()]}"
    if day.day_type is DayType.MAKE_UP_WORKDAY:
        about += "，调休上班日"
    elif day.day_type is DayType.HOLIDAY and day.name:
        about += f"，{day.name}"
    return f"{named_year}{day.on.month}月{day.on.day}日（{about}）"
