"""The directory: units, tiers, people and seats; edited as YAML, shown with what it would change, applied, undone."""

from __future__ import annotations

from console.admin.overview import ADMINS, last_changes, undoable, wishes
from console.admin.trial import begin_trial
from console.admin.yaml_forms import LARGEST, check_unchanged, difference, sent, version_of
from console.http.messages import Request, Response
from console.http.routes import route
from console.rendering.spoken_time import speaker


@route("/admin/directory", roles=ADMINS, nav="nav.directory", nav_order=40)
async def directory(request: Request) -> Response:
    """Show units with their people tier by tier, seats, who is away, and what units asked for."""
    shown, changes = request.operations.directory, await last_changes(request, "directory")
    now = request.parts.now()
    away = {
        person.specialist_id
        for unit in shown.units for tier in unit.tiers for person in tier.specialists if shown.is_absent(person, now)
    }  # fmt: skip
    return request.page(
        "admin/directory.html", directory=shown, away=away, changes=changes, undo=undoable(changes),
        wishes=await wishes(request), say=speaker(request), units={unit.unit_id: unit.name for unit in shown.units},
    )  # fmt: skip


@route("/admin/directory/edit", roles=ADMINS)
async def edit(request: Request) -> Response:
    """Show the file as it counts now, to be edited."""
    text = request.operations.site.directory.text()
    return request.page("admin/directory_edit.html", text=text, version=version_of(text), preview=None, why="")


@route("/admin/directory/preview", methods=("POST",), roles=ADMINS, max_body_bytes=LARGEST)
async def preview_directory(request: Request) -> Response:
    """Show what another directory would change; with errors, the text again with each by its line."""
    text, before = sent(request), request.operations.site.directory.text()
    found = await request.operations.site.directory.preview(text)
    request.note(result=f"{len(found.faults)} faults")
    version, why = request.form.get("version", ""), request.form.get("why", "").strip()
    if found.faults:
        return request.page(
            "admin/directory_edit.html", 422, text=text, version=version, preview=found, why=why,
            lines=text.splitlines(),
        )  # fmt: skip
    names = {unit.unit_id: unit.name for unit in request.operations.directory.units}
    names |= {unit.unit_id: unit.name for unit in getattr(found.directory, "units", ())}
    return request.page(
        "admin/directory_preview.html", preview=found, text=text, version=version, why=why, names=names,
        difference=difference(before, text), trial=begin_trial(request, found), is_stale=version != version_of(before),
    )  # fmt: skip


@route("/admin/directory/apply", methods=("POST",), roles=ADMINS, max_body_bytes=LARGEST)
async def apply_directory(request: Request) -> Response:
    """Go by the directory that was shown, unless somebody changed it meanwhile."""
    text, why, site = sent(request), request.needed("why"), request.operations.site
    check_unchanged(request, site.directory.text())
    await site.directory.apply(text, request.actor, why)
    return request.go("/admin/directory").saying(request.t("admin.directory.applied"))


@route("/admin/directory/undo", methods=("POST",), roles=ADMINS)
async def undo_directory(request: Request) -> Response:
    """Take the last change back."""
    await request.operations.site.directory.undo(request.actor, request.needed("why"))
    return request.go("/admin/directory").saying(request.t("admin.undone"))
