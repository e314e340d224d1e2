"""What callers hear: every prompt to read and to listen to; its text or a recording changed, and taken back."""

from __future__ import annotations

from typing import Any

from console.admin.overview import ADMINS, last_changes, undoable
from console.errors import BadInput, NotFound
from console.http.messages import Request, Response
from console.http.routes import route
from console.rendering.spoken_time import speaker
from ivr.speech.speech import SpeechFailed

_LARGEST = 21_000_000
_FIGURES = "prompt figures"
_QUIET_DBFS, _LOUD_DBFS = -28.0, -12.0


@route("/admin/prompts", roles=ADMINS, nav="nav.prompts", nav_order=50)
async def prompts(request: Request) -> Response:
    """List all prompts: ?q=… narrows them down; lengths and levels come when they are measured."""
    words = request.args.get("q", "").strip()
    every = request.operations.site.list_prompts()
    found = [one for one in every if words in one["name"] or words in one["text"]]
    figures = _figures(request)
    return request.page(
        "admin/prompts.html", prompts=found, q=words, figures=figures, verdict=_verdict,
        changed=sum(one["is_changed"] for one in found), recorded=sum(one["is_recorded"] for one in found),
    )  # fmt: skip


@route("/admin/prompts/<name>", roles=ADMINS)
async def prompt(request: Request) -> Response:
    """Show one prompt with its forms."""
    one = _named(request)
    changes = [
        change
        for change in await last_changes(request, "prompt", limit=1000)
        if change["file"].rpartition("/")[2].rpartition(".")[0] == one["name"]
    ]
    return request.page(
        "admin/prompt.html", prompt=one, figures=_figures(request), verdict=_verdict, changes=changes[:10],
        undo=undoable(changes), say=speaker(request),
    )  # fmt: skip


@route("/admin/prompts/<name>/sound", roles=ADMINS)
async def sound(request: Request) -> Response:
    """Give the sound to a player."""
    _named(request)
    return request.file(request.operations.site.prompt_wav(request.args["name"]), "audio/wav")


@route("/admin/prompts/<name>/text", methods=("POST",), roles=ADMINS)
async def set_text(request: Request) -> Response:
    """Let a prompt say another text; it is tried out before anybody hears it."""
    one, text, why = _named(request), request.needed("text"), request.needed("why")
    await request.operations.site.set_prompt_text(one["name"], text, request.actor, why)
    return _changed(request, one, "admin.prompts.text_set")


@route("/admin/prompts/<name>/recording", methods=("POST",), roles=ADMINS, max_body_bytes=_LARGEST)
async def set_recording(request: Request) -> Response:
    """Let a prompt be a recording; it is tried out before anybody hears it."""
    one, why, upload = _named(request), request.needed("why"), request.files.get("file")
    if upload is None or not upload.content:
        raise BadInput(key="admin.prompts.no_file")
    await request.operations.site.set_prompt_recording(one["name"], upload.content, request.actor, why)
    request.note(result=f"{len(upload.content)} bytes")
    return _changed(request, one, "admin.prompts.recording_set")


@route("/admin/prompts/<name>/undo", methods=("POST",), roles=ADMINS)
async def undo_prompt(request: Request) -> Response:
    """Take the last change of a prompt back."""
    one = _named(request)
    await request.operations.site.undo_prompt(one["name"], request.actor, request.needed("why"))
    return _changed(request, one, "admin.undone")


def _named(request: Request) -> dict[str, Any]:
    for one in request.operations.site.list_prompts() or ():
        if one["name"] == request.args["name"]:
            found: dict[str, Any] = one
            return found
    raise NotFound


def _changed(request: Request, one: dict[str, Any], key: str) -> Response:
    _measure(request)
    return request.go(f"/admin/prompts/{one['name']}").saying(request.t(key))


def _figures(request: Request) -> dict[str, Any] | None:
    """Return how prompts sound by name; None while they are being measured."""
    job = request.parts.jobs.last(_FIGURES)
    if job is None or job.wrong is not None:
        job = _measure(request)
    return None if job is None or job.is_running else job.result or {}


def _measure(request: Request) -> Any:
    try:
        return request.parts.jobs.begin(_FIGURES, request.operations.site.prompt_figures())
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
