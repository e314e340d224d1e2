"""The calendar: a year at a glance; a notice of holidays loaded, previewed, applied, taken back."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from typing import Any

from console.admin.overview import ADMINS, last_changes, undoable
from console.admin.trial import begin_trial
from console.errors import BadInput, Impossible, NotFound
from console.http.messages import Request, Response
from console.http.routes import route
from console.rendering.spoken_time import speaker
from routing.calendar import Day, DayType

_LARGEST = 2_500_000
_SPECIAL = (DayType.HOLIDAY, DayType.MAKE_UP_WORKDAY)
_EARLIEST, _LATEST = 2004, 2100


@route("/admin/calendar", roles=ADMINS, nav="nav.calendar", nav_order=20)
async def calendar(request: Request) -> Response:
    """Show a year: ?year=2027."""
    today = request.parts.now().date()
    year = request.args.get("year", str(today.year))
    if not year.isascii() or not year.isdecimal() or not _EARLIEST <= int(year) <= _LATEST:
        raise NotFound
    shown = int(year)
    days = [request.operations.calendar.day(date(shown, 1, 1) + timedelta(days=n)) for n in range(366)]
    days = [day for day in days if day.on.year == shown]
    changes = await last_changes(request, "calendar")
    return request.page(
        "admin/calendar.html", year=shown, months=[_weeks(days, month) for month in range(1, 13)], today=today,
        special=_stretches(days), is_provisional=days[-1].is_provisional, source=days[-1].source,
        workdays=sum(day.is_workday for day in days), covers_until=request.operations.calendar.covers_until,
        changes=changes, undo=undoable(changes), say=speaker(request),
    )  # fmt: skip


@route("/admin/calendar/preview", methods=("POST",), roles=ADMINS, max_body_bytes=_LARGEST)
async def preview_calendar(request: Request) -> Response:
    """Show what a notice would change: days, and open orders from when to when; nothing is changed yet."""
    text = _notice(request)
    found = await request.operations.site.preview_calendar(text)
    request.note(about=str(found.year), result=f"{len(found.faults)} faults, {len(found.moved)} orders to re-date")
    trial = None if found.faults else begin_trial(request, found)
    return request.page(
        "admin/calendar_preview.html", 422 if found.faults else 200, preview=found, csv_text=text, trial=trial,
        say=speaker(request), why=request.form.get("why", ""), lines=text.splitlines(),
        units={unit.unit_id: unit.name for unit in request.operations.directory.units},
    )  # fmt: skip


@route("/admin/calendar/apply", methods=("POST",), roles=ADMINS, max_body_bytes=_LARGEST)
async def apply_calendar(request: Request) -> Response:
    """Go by the notice that was shown, unless the calendar was changed meanwhile."""
    text, why, site = request.needed("csv"), request.needed("why"), request.operations.site
    if request.form.get("version") != request.operations.calendar.version:
        raise Impossible(key="admin.changed_meanwhile")
    done = await site.apply_calendar(text, request.actor, why)
    request.note(about=str(done.year), result=f"{len(done.days)} days, {len(done.moved)} orders re-dated")
    said = request.t("admin.calendar.applied", year=done.year, days=len(done.days), orders=len(done.moved))
    return request.go(f"/admin/calendar?year={done.year}").saying(said)


@route("/admin/calendar/undo", methods=("POST",), roles=ADMINS)
async def undo_calendar(request: Request) -> Response:
    """Take the last change back; open orders are re-dated again."""
    await request.operations.site.undo_calendar(request.actor, request.needed("why"))
    return request.go("/admin/calendar").saying(request.t("admin.undone"))


def _notice(request: Request) -> str:
    """Return the text of the file that was sent, or of the field."""
    upload = request.files.get("file")
    if upload is None or not upload.content:
        return request.needed("csv")
    try:
        return upload.content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise BadInput(key="admin.not_utf8") from wrong


def _weeks(days: list[Day], month: int) -> list[list[Day | None]]:
    """Return the weeks of a month, Monday first, None where the month has no day."""
    found: list[Day | None] = [day for day in days if day.on.month == month]
    first = found[0]
    assert first is not None
    padded = [None] * first.on.weekday() + found
    padded += [None] * (-len(padded) % 7)
    return [padded[at : at + 7] for at in range(0, len(padded), 7)]


def _stretches(days: list[Day]) -> list[dict[str, Any]]:
    """Return holidays and make-up workdays, days in a row as one: first, last, type, name, source."""
    found: list[dict[str, Any]] = []
    for (day_type, name, source), group in groupby(days, lambda day: (day.day_type, day.name, day.source)):
        if day_type in _SPECIAL:
            of_one = list(group)
            found.append({
                "first": of_one[0].on, "last": of_one[-1].on, "days": len(of_one), "type": day_type.value,
                "name": name, "source": source, "is_provisional": of_one[0].is_provisional,
            })  # fmt: skip
    return found
