"""Hours and closures: edited as YAML, shown with what they would change and the week to come, applied, undone."""

from __future__ import annotations

from config.hours import Weekday
from console.admin.overview import ADMINS, standing_switch
from console.admin.trial import begin_trial
from console.admin.yaml_forms import LARGEST, check_unchanged, difference, sent, version_of
from console.http.messages import Request, Response
from console.http.routes import route
from console.rendering.spoken_time import speaker

_WEEKDAYS = {weekday.value: number for number, weekday in enumerate(Weekday)}


@route("/admin/hours/edit", roles=ADMINS)
async def edit(request: Request) -> Response:
    """Show hours and closures as they count now, to be edited."""
    text = request.operations.site.hours.text()
    return request.page("admin/hours_edit.html", text=text, version=version_of(text), preview=None, why="")


@route("/admin/hours/edit/preview", methods=("POST",), roles=ADMINS, max_body_bytes=LARGEST)
async def preview_hours(request: Request) -> Response:
    """Show what other hours would change; with errors, the text again with each by its line."""
    text, before = sent(request), request.operations.site.hours.text()
    found = await request.operations.site.hours.preview(text)
    request.note(result=f"{len(found.faults)} faults")
    version, why = request.form.get("version", ""), request.form.get("why", "").strip()
    if found.faults:
        return request.page(
            "admin/hours_edit.html", 422, text=text, version=version, preview=found, why=why, lines=text.splitlines()
        )
    return request.page(
        "admin/hours_preview.html", preview=found, text=text, version=version, why=why, say=speaker(request),
        names={unit.unit_id: unit.name for unit in request.operations.directory.units}, weekdays=_WEEKDAYS,
        difference=difference(before, text), trial=begin_trial(request, found), is_stale=version != version_of(before),
        switch=standing_switch(request), calls=request.operations.status()["calls"],
    )  # fmt: skip


@route("/admin/hours/edit/apply", methods=("POST",), roles=ADMINS, max_body_bytes=LARGEST)
async def apply_hours(request: Request) -> Response:
    """Go by the hours that were shown, unless somebody changed them meanwhile."""
    text, why, site = sent(request), request.needed("why"), request.operations.site
    check_unchanged(request, site.hours.text())
    await site.hours.apply(text, request.actor, why)
    return request.go("/admin/hours").saying(request.t("admin.hours.applied"))


@route("/admin/hours/edit/undo", methods=("POST",), roles=ADMINS)
async def undo_hours(request: Request) -> Response:
    """Take the last change of hours and closures back; the switch is none of them."""
    await request.operations.site.hours.undo(request.actor, request.needed("why"))
    return request.go("/admin/hours").saying(request.t("admin.undone"))
