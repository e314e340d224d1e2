"""Hours and closures: edited as YAML, shown with what they would change and the week to come, applied, undone."""

from __future__ import annotations

from config.hours import Weekday
from console.admin.overview import ADMINS, standing_switch
from console.admin.trial import begin_trial
from console.admin.yaml_forms import LARGEST, check_unchanged, difference, sent, version_of
from console.http.messages import Response
from console.http.routes import route
from console.visit import Visit

_WEEKDAYS = {weekday.value: number for number, weekday in enumerate(Weekday)}


@route("/admin/hours/edit", roles=ADMINS)
async def edit(visit: Visit) -> Response:
    """Show hours and closures as they count now, to be edited."""
    text = visit.operations.site.hours.text()
    return visit.page("admin/hours_edit.html", text=text, version=version_of(text), preview=None, why="")


@route("/admin/hours/edit/preview", methods=("POST",), roles=ADMINS, max_body_bytes=LARGEST)
async def preview_hours(visit: Visit) -> Response:
    """Show what other hours would change; with errors, the text again with each by its line."""
    text, before = sent(visit), visit.operations.site.hours.text()
    preview = await visit.operations.site.hours.preview(text)
    visit.note(result=f"{len(preview.faults)} faults")
    version, why = visit.form.get("version", ""), visit.form.get("why", "").strip()
    if preview.faults:
        return visit.page(
            "admin/hours_edit.html", 422, text=text, version=version, preview=preview, why=why, lines=text.splitlines()
        )
    return visit.page(
        "admin/hours_preview.html", preview=preview, text=text, version=version, why=why, say=visit.speaker(),
        names={unit.unit_id: unit.name for unit in visit.operations.directory.units}, weekdays=_WEEKDAYS,
        difference=await difference(visit, before, text),
        trial=begin_trial(visit, preview), is_stale=version != version_of(before),
        switch=standing_switch(visit), calls=visit.operations.status()["calls"],
    )  # fmt: skip


@route("/admin/hours/edit/apply", methods=("POST",), roles=ADMINS, max_body_bytes=LARGEST)
async def apply_hours(visit: Visit) -> Response:
    """Go by the hours that were shown, unless somebody changed them meanwhile."""
    text, why, site = sent(visit), visit.needed("why"), visit.operations.site
    check_unchanged(visit, site.hours.text())
    await site.hours.apply(text, visit.actor, why)
    return visit.go("/admin/hours").saying(visit.t("admin.hours.applied"))


@route("/admin/hours/edit/undo", methods=("POST",), roles=ADMINS)
async def undo_hours(visit: Visit) -> Response:
    """Take the last change of hours and closures back; the switch is none of them."""
    await visit.operations.site.hours.undo(visit.actor, visit.needed("why"))
    return visit.go("/admin/hours").saying(visit.t("admin.undone"))
