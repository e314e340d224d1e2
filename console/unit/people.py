"""The unit's people: who is on duty, at which numbers, whether these ring; a change is asked of the administrator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from console.errors import BadInput
from console.http.messages import Request, Response
from console.http.routes import route
from console.rendering.spoken_time import measurer, speaker
from console.unit.inbox import UNITS, unit_of
from ivr.refused import OperationRefused

_LONGEST = 1000
_DAYS_SHOWN = 14


@route("/unit/people", roles=UNITS, nav="nav.unit_people", nav_order=20)
async def people(request: Request) -> Response:
    """Show who is on duty today, the numbers, and the last check of them."""
    return request.page("unit/people.html", **_shown(request))


@route("/unit/people/now", roles=UNITS)
async def people_now(request: Request) -> Response:
    """Show the check alone, for a page that is open to take in."""
    return request.page("unit/check.html", **_shown(request))


@route("/unit/people/check", methods=("POST",), roles=UNITS)
async def check(request: Request) -> Response:
    """号码检查: ring each number politely, one after the other; the page tells how far it is."""
    calls = request.operations.calls
    request.parts.jobs.begin(f"check:{request.unit_id}", calls.test_dial(request.unit_id, request.actor))
    request.note(about=request.unit_id)
    return request.go("/unit/people").saying(request.t("unit.said.check"))


@route("/unit/people/propose", methods=("POST",), roles=UNITS)
async def propose(request: Request) -> Response:
    """Ask the administrator for a change; it lies in the audit log, and on the administrator's page."""
    text = request.needed("text")
    if len(text) > _LONGEST:
        raise BadInput(key="unit.text_too_long")
    request.note(about=request.unit_id, why=text)
    return request.go("/unit/people").saying(request.t("unit.said.propose"))


def _shown(request: Request) -> dict[str, Any]:
    now, directory = request.parts.now(), request.operations.directory
    unit = unit_of(request)
    last = request.operations.calls.last_check(request.unit_id)
    results = {one["number"]: one for one in (last or {}).get("results", ())}
    tiers = [
        [(person, directory.is_absent(person, now), results.get(person.number)) for person in tier.specialists]
        for tier in (unit.tiers if unit else ())
    ]
    job = request.parts.jobs.last(f"check:{request.unit_id}")
    return {
        "unit": unit, "tiers": tiers, "last": last, "say": speaker(request), "measure": measurer(request),
        "absences": _absences(request, unit), "job": job,
        "why_failed": str(job.wrong) if job is not None and isinstance(job.wrong, OperationRefused) else "",
        "matters": [one for one in directory.matters if one.unit_id == request.unit_id],
    }  # fmt: skip


def _absences(request: Request, unit: Any) -> list[tuple[str, Any]]:
    """Return who is away within the next days: name and absence, the first to come first."""
    today = request.parts.now().date()
    people = [person for tier in (unit.tiers if unit else ()) for person in tier.specialists]
    found = [
        (person.name, absence)
        for person in people
        for absence in request.operations.directory.absences.get(person.specialist_id, ())
        if absence.last_day >= today and absence.first_day <= today + timedelta(days=_DAYS_SHOWN)
    ]
    return sorted(found, key=lambda one: one[1].first_day)
