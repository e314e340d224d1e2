"""What callers hear: every prompt to read and to listen to; its text or a recording changed, and taken back."""

from __future__ import annotations

from typing import Any

from console.admin.overview import ADMINS, last_changes, undoable
from console.errors import BadInput, NotFound
from console.http.messages import Response
from console.http.routes import route
from console.visit import Visit
from ivr.speech.speech import SpeechFailed

_LARGEST = 21_000_000
_FIGURES = "prompt figures"
_QUIET_DBFS, _LOUD_DBFS = -28.0, -12.0


@route("/admin/prompts", roles=ADMINS, nav="nav.prompts", nav_order=50)
async def prompts(visit: Visit) -> Response:
    """List all prompts: ?q=… narrows them down; lengths and levels come when they are measured."""
    words = visit.args.get("q", "").strip()
    every = visit.operations.site.prompts.list_prompts()
    shown = [one for one in every if words in one["name"] or words in one["text"]]
    figures = _figures(visit)
    return visit.page(
        "admin/prompts.html", prompts=shown, q=words, figures=figures, verdict=_verdict,
        changed=sum(one["is_changed"] for one in shown), recorded=sum(one["is_recorded"] for one in shown),
    )  # fmt: skip


@route("/admin/prompts/<name>", roles=ADMINS)
async def prompt(visit: Visit) -> Response:
    """Show one prompt with its forms."""
    one = _named(visit)
    changes = [
        change
        for change in await last_changes(visit, "prompt", limit=1000)
        if change["file"].rpartition("/")[2].rpartition(".")[0] == one["name"]
    ]
    return visit.page(
        "admin/prompt.html", prompt=one, figures=_figures(visit), verdict=_verdict, changes=changes[:10],
        undo=undoable(changes), say=visit.speaker(),
    )  # fmt: skip


@route("/admin/prompts/<name>/sound", roles=ADMINS)
async def sound(visit: Visit) -> Response:
    """Give the sound to a player."""
    _named(visit)
    return visit.file(visit.operations.site.prompts.wav(visit.args["name"]), "audio/wav")


@route("/admin/prompts/<name>/text", methods=("POST",), roles=ADMINS)
async def set_text(visit: Visit) -> Response:
    """Let a prompt say another text; it is tried out before anybody hears it."""
    one, text, why = _named(visit), visit.needed("text"), visit.needed("why")
    await visit.operations.site.prompts.set_text(one["name"], text, visit.actor, why)
    return _changed(visit, one, "admin.prompts.text_set")


@route("/admin/prompts/<name>/recording", methods=("POST",), roles=ADMINS, max_body_bytes=_LARGEST)
async def set_recording(visit: Visit) -> Response:
    """Let a prompt be a recording; it is tried out before anybody hears it."""
    one, why, upload = _named(visit), visit.needed("why"), visit.files.get("file")
    if upload is None or not upload.content:
        raise BadInput(key="admin.prompts.no_file")
    await visit.operations.site.prompts.set_recording(one["name"], upload.content, visit.actor, why)
    visit.note(result=f"{len(upload.content)} bytes")
    return _changed(visit, one, "admin.prompts.recording_set")


@route("/admin/prompts/<name>/undo", methods=("POST",), roles=ADMINS)
async def undo_prompt(visit: Visit) -> Response:
    """Take the last change of a prompt back."""
    one = _named(visit)
    await visit.operations.site.prompts.undo(one["name"], visit.actor, visit.needed("why"))
    return _changed(visit, one, "admin.undone")


def _named(visit: Visit) -> dict[str, Any]:
    for one in visit.operations.site.prompts.list_prompts() or ():
        if one["name"] == visit.args["name"]:
            prompt: dict[str, Any] = one
            return prompt
    raise NotFound


def _changed(visit: Visit, one: dict[str, Any], key: str) -> Response:
    _measure(visit)
    return visit.go(f"/admin/prompts/{one['name']}").saying(visit.t(key))


def _figures(visit: Visit) -> dict[str, Any] | None:
    """Return how prompts sound by name; None while they are being measured."""
    job = visit.console.jobs.last(_FIGURES)
    if job is None or job.wrong is not None:
        job = _measure(visit)
    return None if job is None or job.is_running else job.result or {}


def _measure(visit: Visit) -> Any:
    try:
        return visit.console.jobs.begin(_FIGURES, visit.operations.site.prompts.figures())
    except (LookupError, OSError, SpeechFailed):  # the list is of use without figures
        return None


def _verdict(figure: dict[str, Any], limit_s: float) -> str:
    """Return what is wrong with how a prompt sounds: too_long, clipped, quiet, loud; "" if nothing is."""
    if figure["seconds"] > limit_s:
        return "too_long"
    if figure["is_clipped"]:
        return "clipped"
    if figure["level_dbfs"] < _QUIET_DBFS:
        return "quiet"
    return "loud" if figure["level_dbfs"] > _LOUD_DBFS else ""
