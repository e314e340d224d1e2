"""The administrator's overview: what needs attention, what counts now, what was changed last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from console.http.messages import Response
from console.http.routes import route
from console.people.roles import Role
from console.visit import Visit

ADMINS = (Role.ADMIN,)
_CHANGES_SHOWN, _WISHES_SHOWN = 10, 20


@route("/admin", roles=ADMINS, nav="nav.admin", nav_order=10)
async def overview(visit: Visit) -> Response:
    """Show how the site stands, each part with its way in."""
    operations, now = visit.operations, visit.now()
    status, calendar = operations.status(), operations.calendar
    prompts = operations.site.prompts.list_prompts() or []
    accounts = visit.people.accounts.all()
    return visit.page(
        "admin/overview.html", opening=status["opening"], covers_until=calendar.covers_until,
        next_year_is_open=calendar.covers_until.year <= now.year and now.month >= 10, switch=standing_switch(visit),
        trunks=status["trunks"], lines=status["lines"], directory=operations.directory, prompts=prompts,
        accounts=accounts, changes=await last_changes(visit), wishes=await wishes(visit), say=visit.speaker(),
        units={unit.unit_id: unit.name for unit in operations.directory.units},
    )  # fmt: skip


def standing_switch(visit: Visit) -> Any:
    """Return the switch that counts now; None if there is none, or its time is over."""
    switch = visit.operations.hours.switch
    return switch if switch is not None and switch.until > visit.now() else None


async def last_changes(visit: Visit, *of: str, limit: int = _CHANGES_SHOWN) -> list[dict[str, Any]]:
    """Return the last changes of some parts (none named: of all), newest first."""
    changes = await visit.operations.site.changes.latest(1000) or []
    return [change for change in changes if not of or change["what"] in of][:limit]


def undoable(changes: list[dict[str, Any]], file: str = "") -> dict[str, Any] | None:
    """Return the change that taking back would take back: the last one that was not taken back yet."""
    taken_back = 0
    for change in changes:
        if file and not change["file"].startswith(file):
            continue
        if change["is_undo"]:
            taken_back += 1
        elif taken_back:
            taken_back -= 1
        else:
            return change
    return None


async def wishes(visit: Visit) -> list[Any]:
    """Return what units asked to have changed since the directory was changed last, newest first."""
    changed = await last_changes(visit, "directory", limit=1)
    since = datetime.fromisoformat(changed[0]["at"]) if changed else None
    acts = await visit.console.audit.last(_WISHES_SHOWN, "", "unit_people.propose")
    sent = [act for act in acts if act.what == "unit_people.propose" and act.result.startswith("303")]
    return [act for act in sent if since is None or act.at > since]
