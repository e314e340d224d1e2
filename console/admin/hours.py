"""When the line is open: hours and closures as they count now, and the switch for day or night."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from config.hours import Switch
from console.admin.overview import ADMINS, last_changes, standing_switch, undoable
from console.errors import BadInput
from console.http.messages import Response
from console.http.routes import route
from console.visit import Visit

_DAYS_SHOWN = 8
_UNDONE_AT_MOST = 1000


@route("/admin/hours", roles=ADMINS, nav="nav.hours", nav_order=30)
async def hours(visit: Visit) -> Response:
    """Show whether the line is open, the days to come, units with hours of their own, closures, and the switch."""
    operations, now = visit.operations, visit.now()
    calendar, table = operations.calendar, operations.hours
    days = [now.date() + timedelta(days=n) for n in range(_DAYS_SHOWN)]
    own = table.settings.units
    return visit.page(
        "admin/hours.html", opening=table.opening(now, calendar), switch=standing_switch(visit), say=visit.speaker(),
        week=[(calendar.day(on), table.windows(on, calendar)) for on in days],
        own=[(unit, own[unit.unit_id]) for unit in operations.directory.units if unit.unit_id in own],
        closures=sorted(table.closures, key=lambda one: one.start, reverse=True),
        changes=await last_changes(visit, "hours", "switch"),
        undo=undoable(await last_changes(visit, "hours", limit=_UNDONE_AT_MOST)),
        units={unit.unit_id: unit.name for unit in operations.directory.units},
        proposed_until=(now + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0),
    )  # fmt: skip


@route("/admin/hours/preview", methods=("POST",), roles=ADMINS)
async def preview_switch(visit: Visit) -> Response:
    """Show what the switch would do: from now to its end, and what comes after; nothing is changed yet."""
    switch, now = _switch(visit), visit.now()
    operations = visit.operations
    calendar, plain = operations.calendar, operations.hours.switched(None)
    return visit.page(
        "admin/switch_preview.html", switch=switch, before=operations.hours.opening(now, calendar),
        after=plain.opening(switch.until, calendar), say=visit.speaker(), calls=operations.status()["calls"],
    )  # fmt: skip


@route("/admin/hours/apply", methods=("POST",), roles=ADMINS)
async def set_switch(visit: Visit) -> Response:
    """Let the line be open, or closed, from now to the end that is given."""
    switch = _switch(visit)
    await visit.operations.site.hours.set_switch(switch.state, switch.reason, switch.until, visit.actor)
    visit.note(about=switch.state, why=switch.reason, result=f"until {switch.until.isoformat()}")
    return visit.go("/admin/hours").saying(visit.t(f"admin.hours.set_{switch.state}"))


@route("/admin/hours/clear", methods=("POST",), roles=ADMINS)
async def clear_switch(visit: Visit) -> Response:
    """Go by hours and calendar again."""
    await visit.operations.site.hours.clear_switch(visit.actor, visit.needed("why"))
    return visit.go("/admin/hours").saying(visit.t("admin.hours.cleared"))


def _switch(visit: Visit) -> Switch:
    """Return the switch of a form; BadInput if it is incomplete, or its end is no time to come."""
    fields: dict[str, Any] = {"state": visit.form.get("state", ""), "reason": visit.needed("why")}
    try:
        until = datetime.fromisoformat(visit.form.get("until", ""))
        switch = Switch.model_validate(fields | {"until": until})
    except (ValueError, ValidationError) as wrong:
        raise BadInput(key="admin.hours.incomplete") from wrong
    if switch.until <= visit.now():
        raise BadInput(key="admin.hours.in_the_past")
    return switch
