"""What other hours would do, told before they count: rules that differ, and the openings of the days to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from callback_scheduler.orders.closed_deadlines import ClosedDeadline, closed_deadlines
from config.hours import Closure, HoursSettings, Weekday, Window, WindowSettings
from node.operations.site.previews import BadLine
from routing.calendar import Calendar
from routing.clock import SHANGHAI, in_shanghai
from routing.hours import Hours, Opening

_DAYS_TOLD = 7

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class RuleChange:
    """Windows that would be others, of the line (unit "") or a unit; `day` is "workday" or a weekday.

    None: no rule for it, so that the workday's (of a unit without any: the line's) count.
    """

    unit_id: str
    day: str
    before: tuple[Window, ...] | None
    after: tuple[Window, ...] | None


@dataclass(frozen=True, slots=True)
class DayOpenings:
    """From when to when the line (unit "") or a unit is open on a day, closures and the switch counted in."""

    on: date
    unit_id: str
    before: tuple[Span, ...]
    after: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursPreview:
    """Other hours against those of now; with `faults` they cannot be applied, and nothing else is filled in.

    `openings` tells of the line on each of the next seven days, from now on, and of units on the days that change.
    `closed_deadlines` are those that fall into a closure, and stay.
    """

    faults: tuple[BadLine, ...] = ()
    rules: tuple[RuleChange, ...] = ()
    closures_added: tuple[Closure, ...] = ()
    closures_removed: tuple[Closure, ...] = ()
    now_before: Opening | None = None
    now_after: Opening | None = None
    openings: tuple[DayOpenings, ...] = ()
    closed_deadlines: tuple[ClosedDeadline, ...] = ()
    hours: Hours | None = field(default=None, repr=False, compare=False)


def hours_preview(before: Hours, after: Hours, calendar: Calendar, at: datetime) -> HoursPreview:
    """Return what changes when hours take the place of others at `at`; the switch of `before` stays."""
    after = after.switched(before.switch)
    was, becomes = before.settings, after.settings
    return HoursPreview(
        rules=tuple(_rule_changes(was, becomes)),
        closures_added=tuple(one for one in becomes.closures if one not in was.closures),
        closures_removed=tuple(one for one in was.closures if one not in becomes.closures),
        now_before=before.opening(at, calendar),
        now_after=after.opening(at, calendar),
        openings=tuple(_openings(before, after, calendar, in_shanghai(at))),
        closed_deadlines=tuple(closed_deadlines(becomes.closures, calendar, at)),
        hours=after,
    )


def _rule_changes(was: HoursSettings, becomes: HoursSettings) -> Iterator[RuleChange]:
    for unit_id in ("", *dict.fromkeys((*was.units, *becomes.units))):
        old, new = _rules(was, unit_id), _rules(becomes, unit_id)
        for day in dict.fromkeys(("workday", *(weekday.value for weekday in Weekday))):
            if old.get(day) != new.get(day):
                yield RuleChange(unit_id, day, old.get(day), new.get(day))


def _rules(settings: HoursSettings, unit_id: str) -> dict[str, tuple[Window, ...]]:
    """Return the windows by "workday" and weekday; nothing for a unit that has none of its own."""
    rules: WindowSettings | None = settings.units.get(unit_id) if unit_id else settings
    if rules is None:
        return {}
    return {"workday": rules.workday} | {weekday.value: windows for weekday, windows in rules.weekdays.items()}


def _openings(before: Hours, after: Hours, calendar: Calendar, at: datetime) -> Iterator[DayOpenings]:
    units = {unit_id for one in (before.settings, after.settings) for unit_id in one.units}
    units |= {unit_id for one in (*before.closures, *after.closures) for unit_id in one.units}
    for ahead in range(_DAYS_TOLD):
        on = at.date() + timedelta(days=ahead)
        since = max(at, datetime.combine(on, time(), SHANGHAI))
        for unit_id in ("", *sorted(units)):
            spans = [tuple(_spans(hours, since, calendar, unit_id)) for hours in (before, after)]
            if not unit_id or spans[0] != spans[1]:
                yield DayOpenings(on, unit_id, spans[0], spans[1])


def _spans(hours: Hours, since: datetime, calendar: Calendar, unit_id: str) -> Iterator[Span]:
    """Yield when it is open from an instant up to the end of its day."""
    midnight = datetime.combine(since.date() + timedelta(days=1), time(), SHANGHAI)
    while since < midnight:
        opening = hours.opening(since, calendar, unit_id or None)
        until = min(opening.until or midnight, midnight)
        if opening.is_open:
            yield since, until
        since = until
