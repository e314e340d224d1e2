"""What a change of calendar or directory would do, told before it is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.rejudging import later_deadline
from callback_scheduler.timetable.redating import new_deadline
from config.errors import ConfigError
from routing.calendar import Calendar, Day
from routing.directory import Directory


@dataclass(frozen=True, slots=True)
class BadLine:
    """Something wrong with a text: the line (from 1; 0: the text as a whole), the key or column, and what is wrong."""

    line: int
    key: str
    message: str


@dataclass(frozen=True, slots=True)
class DayChange:
    """A day that would be another sort of day; types as `DayType` values, names of holidays ("" if none)."""

    on: date
    type_before: str
    type_after: str
    name_before: str
    name_after: str
    was_provisional: bool


@dataclass(frozen=True, slots=True)
class Redated:
    """An open order whose deadline would move."""

    order_id: str
    unit_id: str
    due_before: datetime
    due_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPreview:
    """A notice of holidays: with `faults` it cannot be applied, and nothing else is filled in.

    `days` are those that change, `moved` the open orders that get another deadline, earliest first;
    `prevented` those whose frozen breach would not have come about: they stay until a supervisor judges them again.
    """

    year: int = 0
    faults: tuple[BadLine, ...] = ()
    days: tuple[DayChange, ...] = ()
    moved: tuple[Redated, ...] = ()
    prevented: tuple[Redated, ...] = ()
    version_before: str = ""
    version_after: str = ""
    calendar: Calendar | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryPreview:
    """Units, people and seats of another directory against those of now; ids, in the order of the files.

    `faults` (with lines) make it impossible; so does a unit taken away that owes callbacks: `still_owed` has the
    numbers of its open orders.
    """

    faults: tuple[BadLine, ...] = ()
    units_added: tuple[str, ...] = ()
    units_removed: tuple[str, ...] = ()
    units_changed: tuple[str, ...] = ()
    seats_added: tuple[str, ...] = ()
    seats_removed: tuple[str, ...] = ()
    seats_changed: tuple[str, ...] = ()
    absences_changed: bool = False
    still_owed: tuple[str, ...] = ()
    directory: Directory | None = field(default=None, repr=False, compare=False)


def bad_lines(wrong: ConfigError) -> tuple[BadLine, ...]:
    """Return the faults of a text."""
    return tuple(BadLine(fault.line, fault.key, fault.message) for fault in wrong.faults)


def calendar_preview(
    year: int, before: Calendar, after: Calendar, open_orders: Iterable[Order], at: datetime,
    *, frozen: Iterable[Order] = (),
) -> CalendarPreview:  # fmt: skip
    """Return what changes when one calendar takes the place of another at `at`; `frozen` are orders with a breach."""
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(366)]
    pairs = [(before.day(on), after.day(on)) for on in days if on.year == year]
    moved = []
    for order in open_orders:
        due = new_deadline(order, after, at)
        if due is not None and due.due_at != order.due_at:
            moved.append(Redated(order.order_id, order.unit_id, order.due_at, due.due_at))
    return CalendarPreview(
        year=year,
        days=tuple(_day_change(was, becomes) for was, becomes in pairs if _differ(was, becomes)),
        moved=tuple(sorted(moved, key=lambda one: (one.due_before, one.order_id))),
        prevented=tuple(_prevented(frozen, after)),
        version_before=before.version,
        version_after=after.version,
        calendar=after,
    )


def _prevented(frozen: Iterable[Order], after: Calendar) -> Iterator[Redated]:
    for order in sorted(frozen, key=lambda order: (order.due_at, order.order_id)):
        due = later_deadline(order, after)
        if due is not None:
            yield Redated(order.order_id, order.unit_id, order.due_at, due.due_at)


def _differ(was: Day, becomes: Day) -> bool:
    return (was.day_type, was.name) != (becomes.day_type, becomes.name)


def _day_change(was: Day, becomes: Day) -> DayChange:
    return DayChange(
        was.on, was.day_type.value, becomes.day_type.value, was.name, becomes.name, was.is_provisional
    )


def directory_preview(before: Directory, after: Directory, open_orders: Iterable[Order]) -> DirectoryPreview:
    """Return what changes when one directory takes the place of another."""
    units, new_units = {one.unit_id: one for one in before.units}, {one.unit_id: one for one in after.units}
    seats, new_seats = {one.seat_id: one for one in before.seats}, {one.seat_id: one for one in after.seats}
    removed = [unit_id for unit_id in units if unit_id not in new_units]
    return DirectoryPreview(
        units_added=tuple(unit_id for unit_id in new_units if unit_id not in units),
        units_removed=tuple(removed),
        units_changed=tuple(one for one in new_units if one in units and units[one] != new_units[one]),
        seats_added=tuple(seat_id for seat_id in new_seats if seat_id not in seats),
        seats_removed=tuple(seat_id for seat_id in seats if seat_id not in new_seats),
        seats_changed=tuple(one for one in new_seats if one in seats and seats[one] != new_seats[one]),
        absences_changed=before.absences != after.absences,
        still_owed=tuple(order.order_id for order in open_orders if order.unit_id in removed),
        directory=after,
    )
