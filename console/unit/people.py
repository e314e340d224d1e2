"""The unit's people: who is on duty, at which numbers, whether these ring; a change is asked of the administrator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from console.errors import BadInput
from console.http.messages import Response
from console.http.routes import route
from console.unit.inbox import UNITS, unit_of
from console.visit import Visit
from ivr.refused import OperationRefused

_LONGEST = 1000
_DAYS_SHOWN = 14


@route("/unit/people", roles=UNITS, nav="nav.unit_people", nav_order=20)
async def people(visit: Visit) -> Response:
    """Show who is on duty today, the numbers, and the last check of them."""
    return visit.page("unit/people.html", **_shown(visit))


@route("/unit/people/now", roles=UNITS)
async def people_now(visit: Visit) -> Response:
    """Show the check alone, for a page that is open to take in."""
    return visit.page("unit/check.html", **_shown(visit))


@route("/unit/people/check", methods=("POST",), roles=UNITS)
async def check(visit: Visit) -> Response:
    """号码检查: ring each number politely, one after the other; the page tells how far it is."""
    checking = visit.operations.number_check.run(visit.unit_id, visit.actor)
    visit.console.jobs.begin(f"check:{visit.unit_id}", checking)
    visit.note(about=visit.unit_id)
    return visit.go("/unit/people").saying(visit.t("unit.said.check"))


@route("/unit/people/propose", methods=("POST",), roles=UNITS)
async def propose(visit: Visit) -> Response:
    """Ask the administrator for a change; it lies in the audit log, and on the administrator's page."""
    text = visit.needed("text")
    if len(text) > _LONGEST:
        raise BadInput(key="unit.text_too_long")
    visit.note(about=visit.unit_id, why=text)
    return visit.go("/unit/people").saying(visit.t("unit.said.propose"))


def _shown(visit: Visit) -> dict[str, Any]:
    now, directory = visit.now(), visit.operations.directory
    unit = unit_of(visit)
    last = visit.operations.number_check.last(visit.unit_id)
    results = {one["number"]: one for one in (last or {}).get("results", ())}
    tiers = [
        [(person, directory.is_absent(person, now), results.get(person.number)) for person in tier.specialists]
        for tier in (unit.tiers if unit else ())
    ]
    job = visit.console.jobs.last(f"check:{visit.unit_id}")
    return {
        "unit": unit, "tiers": tiers, "last": last, "say": visit.speaker(), "measure": visit.measurer(),
        "absences": _absences(visit, unit), "job": job,
        "why_failed": str(job.wrong) if job is not None and isinstance(job.wrong, OperationRefused) else "",
        "matters": [one for one in directory.matters if one.unit_id == visit.unit_id],
    }  # fmt: skip


def _absences(visit: Visit, unit: Any) -> list[tuple[str, Any]]:
    """Return who is away within the next days: name and absence, the first to come first."""
    today = visit.now().date()
    people = [person for tier in (unit.tiers if unit else ()) for person in tier.specialists]
    absences = [
        (person.name, absence)
        for person in people
        for absence in visit.operations.directory.absences.get(person.specialist_id, ())
        if absence.last_day >= today and absence.first_day <= today + timedelta(days=_DAYS_SHOWN)
    ]
    return sorted(absences, key=lambda one: one[1].first_day)
