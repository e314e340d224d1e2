"""The calendar: a year at a glance; a notice of holidays loaded, previewed, applied, taken back."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from typing import Any

from console.admin.overview import ADMINS, last_changes, undoable
from console.admin.trial import begin_trial
from console.errors import BadInput, Impossible, NotFound
from console.http.messages import Response
from console.http.routes import route
from console.visit import Visit
from routing.calendar import Day, DayType
from routing.calendar_file import FIRST_YEAR, LAST_YEAR, text_of
from routing.from_outside import whole_number

_LARGEST = 2_500_000
_SPECIAL = (DayType.HOLIDAY, DayType.MAKE_UP_WORKDAY)


@route("/admin/calendar", roles=ADMINS, nav="nav.calendar", nav_order=20)
async def calendar(visit: Visit) -> Response:
    """Show a year: ?year=2027."""
    today = visit.now().date()
    shown = whole_number(visit.args.get("year", str(today.year)), FIRST_YEAR, LAST_YEAR)
    if shown is None:
        raise NotFound
    days = [visit.operations.calendar.day(date(shown, 1, 1) + timedelta(days=n)) for n in range(366)]
    days = [day for day in days if day.on.year == shown]
    changes = await last_changes(visit, "calendar")
    return visit.page(
        "admin/calendar.html", year=shown, months=[_weeks(days, month) for month in range(1, 13)], today=today,
        special=_days_in_a_row(days), is_provisional=days[-1].is_provisional, source=days[-1].source,
        workdays=sum(day.is_workday for day in days), covers_until=visit.operations.calendar.covers_until,
        changes=changes, undo=undoable(changes), say=visit.speaker(),
    )  # fmt: skip


@route("/admin/calendar/preview", methods=("POST",), roles=ADMINS, max_body_bytes=_LARGEST)
async def preview_calendar(visit: Visit) -> Response:
    """Show what a notice would change: days, and open orders from when to when; nothing is changed yet."""
    text = _notice(visit)
    preview = await visit.operations.site.calendar.preview(text)
    visit.note(about=str(preview.year), result=f"{len(preview.faults)} faults, {len(preview.moved)} orders to re-date")
    trial = None if preview.faults else begin_trial(visit, preview)
    return visit.page(
        "admin/calendar_preview.html", 422 if preview.faults else 200, preview=preview, csv_text=text, trial=trial,
        say=visit.speaker(), why=visit.form.get("why", ""), lines=text.splitlines(),
        units={unit.unit_id: unit.name for unit in visit.operations.directory.units},
    )  # fmt: skip


@route("/admin/calendar/apply", methods=("POST",), roles=ADMINS, max_body_bytes=_LARGEST)
async def apply_calendar(visit: Visit) -> Response:
    """Go by the notice that was shown, unless the calendar was changed meanwhile."""
    text, why, site = visit.needed("csv"), visit.needed("why"), visit.operations.site
    if visit.form.get("version") != visit.operations.calendar.version:
        raise Impossible(key="admin.changed_meanwhile")
    done = await site.calendar.apply(text, visit.actor, why)
    visit.note(about=str(done.year), result=f"{len(done.days)} days, {len(done.moved)} orders re-dated")
    said = visit.t("admin.calendar.applied", year=done.year, days=len(done.days), orders=len(done.moved))
    return visit.go(f"/admin/calendar?year={done.year}").saying(said)


@route("/admin/calendar/undo", methods=("POST",), roles=ADMINS)
async def undo_calendar(visit: Visit) -> Response:
    """Take the last change back; open orders are re-dated again."""
    await visit.operations.site.calendar.undo(visit.actor, visit.needed("why"))
    return visit.go("/admin/calendar").saying(visit.t("admin.undone"))


def _notice(visit: Visit) -> str:
    """Return the text of the file that was sent, or of the field."""
    upload = visit.files.get("file")
    if upload is None or not upload.content:
        return visit.needed("csv")
    try:
        return text_of(upload.content)
    except ValueError as wrong:
        raise BadInput(key="admin.not_utf8") from wrong


def _weeks(days: list[Day], month: int) -> list[list[Day | None]]:
    """Return the weeks of a month, Monday first, None where the month has no day."""
    cells: list[Day | None] = [day for day in days if day.on.month == month]
    first = cells[0]
    assert first is not None
    padded = [None] * first.on.weekday() + cells
    padded += [None] * (-len(padded) % 7)
    return [padded[at : at + 7] for at in range(0, len(padded), 7)]


def _days_in_a_row(days: list[Day]) -> list[dict[str, Any]]:
    """Return holidays and make-up workdays, days in a row as one: first, last, type, name, source."""
    rows: list[dict[str, Any]] = []
    for (day_type, name, source), group in groupby(days, lambda day: (day.day_type, day.name, day.source)):
        if day_type in _SPECIAL:
            of_one = list(group)
            rows.append({
                "first": of_one[0].on, "last": of_one[-1].on, "days": len(of_one), "type": day_type.value,
                "name": name, "source": source, "is_provisional": of_one[0].is_provisional,
            })  # fmt: skip
    return rows
