"""The directory: units, tiers, people and seats; edited as YAML, shown with what it would change, applied, undone."""

from __future__ import annotations

from console.admin.overview import ADMINS, last_changes, undoable, wishes
from console.admin.trial import begin_trial
from console.admin.yaml_forms import LARGEST, check_unchanged, difference, sent, version_of
from console.http.messages import Response
from console.http.routes import route
from console.visit import Visit


@route("/admin/directory", roles=ADMINS, nav="nav.directory", nav_order=40)
async def directory(visit: Visit) -> Response:
    """Show units with their people tier by tier, seats, who is away, and what units asked for."""
    shown, changes = visit.operations.directory, await last_changes(visit, "directory")
    now = visit.now()
    away = {
        person.specialist_id
        for unit in shown.units for tier in unit.tiers for person in tier.specialists if shown.is_absent(person, now)
    }  # fmt: skip
    return visit.page(
        "admin/directory.html", directory=shown, away=away, changes=changes, undo=undoable(changes),
        wishes=await wishes(visit), say=visit.speaker(), units={unit.unit_id: unit.name for unit in shown.units},
    )  # fmt: skip


@route("/admin/directory/edit", roles=ADMINS)
async def edit(visit: Visit) -> Response:
    """Show the file as it counts now, to be edited."""
    text = visit.operations.site.directory.text()
    return visit.page("admin/directory_edit.html", text=text, version=version_of(text), preview=None, why="")


@route("/admin/directory/preview", methods=("POST",), roles=ADMINS, max_body_bytes=LARGEST)
async def preview_directory(visit: Visit) -> Response:
    """Show what another directory would change; with errors, the text again with each by its line."""
    text, before = sent(visit), visit.operations.site.directory.text()
    preview = await visit.operations.site.directory.preview(text)
    visit.note(result=f"{len(preview.faults)} faults")
    version, why = visit.form.get("version", ""), visit.form.get("why", "").strip()
    if preview.faults:
        return visit.page(
            "admin/directory_edit.html", 422, text=text, version=version, preview=preview, why=why,
            lines=text.splitlines(),
        )  # fmt: skip
    names = {unit.unit_id: unit.name for unit in visit.operations.directory.units}
    names |= {unit.unit_id: unit.name for unit in getattr(preview.directory, "units", ())}
    return visit.page(
        "admin/directory_preview.html", preview=preview, text=text, version=version, why=why, names=names,
        difference=await difference(visit, before, text),
        trial=begin_trial(visit, preview), is_stale=version != version_of(before),
    )  # fmt: skip


@route("/admin/directory/apply", methods=("POST",), roles=ADMINS, max_body_bytes=LARGEST)
async def apply_directory(visit: Visit) -> Response:
    """Go by the directory that was shown, unless somebody changed it meanwhile."""
    text, why, site = sent(visit), visit.needed("why"), visit.operations.site
    check_unchanged(visit, site.directory.text())
    await site.directory.apply(text, visit.actor, why)
    return visit.go("/admin/directory").saying(visit.t("admin.directory.applied"))


@route("/admin/directory/undo", methods=("POST",), roles=ADMINS)
async def undo_directory(visit: Visit) -> Response:
    """Take the last change back."""
    await visit.operations.site.directory.undo(visit.actor, visit.needed("why"))
    return visit.go("/admin/directory").saying(visit.t("admin.undone"))
