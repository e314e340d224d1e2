"""The filters of figures: period, unit and rule in an address, and the question to the report that they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from callback_scheduler.reports.orders import By
from callback_scheduler.reports.report import Question
from callback_scheduler.reports.rules import RULE_NAMES, rule_named
from console.errors import BadInput
from routing.calendar import Calendar
from routing.from_outside import whole_number

PERIODS = ("today", "week", "month", "last_month", "days_90", "chosen")
TREND_WORKDAYS = 30
_LONGEST_DAYS = 800
_FIRST_YEAR, _LAST_YEAR = 2000, 2200


@dataclass(frozen=True, slots=True)
class Filters:
    """A period with its first and last day (None: no end), a unit ("" for all) and a rule by its name."""

    period: str
    since: date
    until: date | None
    unit_id: str = ""
    rule: str = RULE_NAMES[0]

    def question(self, at: datetime, calendar: Calendar, by: By = By.UNIT) -> Question:
        """Return what the report is asked."""
        return Question(at, rule_named(self.rule, calendar), self.since, self.until, self.unit_id, by)

    def query(self, **more: str) -> str:
        """Return it as the query of an address, with what is given here over it; empty values are left out."""
        fields = {"period": self.period, "unit": self.unit_id, "rule": "" if self.rule == RULE_NAMES[0] else self.rule}
        if self.period == "chosen":
            fields |= {"since": self.since.isoformat(), "until": self.until.isoformat() if self.until else ""}
        return urlencode({name: value for name, value in (fields | more).items() if value})


def read_filters(args: Mapping[str, str], now: datetime, units: frozenset[str], default: str = "today") -> Filters:
    """Return the filters of an address; BadInput if it names no such period, unit or rule."""
    period, unit_id, rule = args.get("period") or default, args.get("unit", ""), args.get("rule") or RULE_NAMES[0]
    if period not in PERIODS or unit_id not in units | {""} or rule not in RULE_NAMES:
        raise BadInput
    since, until = _chosen(args, now.date()) if period == "chosen" else _days_of(period, now.date())
    return Filters(period, since, until, unit_id, rule)


def _days_of(period: str, today: date) -> tuple[date, date | None]:
    first = today.replace(day=1)
    before = first - timedelta(days=1)
    return {
        "today": (today, today),
        "week": (today - timedelta(days=today.weekday()), today + timedelta(days=6 - today.weekday())),
        "month": (first, last_of(today)),
        "last_month": (before.replace(day=1), before),
        "days_90": (today - timedelta(days=90), None),
    }[period]


def _chosen(args: Mapping[str, str], today: date) -> tuple[date, date | None]:
    try:
        since = date.fromisoformat(args.get("since", "") or today.isoformat())
        until = date.fromisoformat(args["until"]) if args.get("until") else None
    except ValueError as wrong:
        raise BadInput(key="compliance.wrong_day") from wrong
    if not 0 <= ((until or max(since, today)) - since).days <= _LONGEST_DAYS or not _is_near(since):
        raise BadInput(key="compliance.wrong_period")
    return since, until


def page_number(args: Mapping[str, str]) -> int:
    """Return which page of a list an address asks for, from 1; BadInput if that is none."""
    page = whole_number(args.get("page") or "1", 1, 999_999)
    if page is None:
        raise BadInput
    return page


def last_of(day: date) -> date:
    """Return the last day of the month of `day`."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def month_of(text: str, today: date) -> date:
    """Return the first day of a month such as 2026-02, by default the last whole one; BadInput for anything else."""
    if not text:
        return (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError as wrong:
        raise BadInput(key="compliance.wrong_month") from wrong
    if not _is_near(first):
        raise BadInput(key="compliance.wrong_month")
    return first


def _is_near(day: date) -> bool:
    """Whether a day is of our time: at both ends of the calendar, arithmetic with days fails."""
    return _FIRST_YEAR <= day.year <= _LAST_YEAR


def trend_days(calendar: Calendar, today: date) -> tuple[date, date]:
    """Return the first and the last day of the trend: the last TREND_WORKDAYS workdays, today included."""
    day, workdays = today, 0
    while True:
        workdays += calendar.day(day).is_workday
        if workdays == TREND_WORKDAYS:
            return day, today
        day -= timedelta(days=1)
