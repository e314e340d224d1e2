"""The rehearsal of a previewed change: some days of made-up calls, played in a process of its own while people read."""

from __future__ import annotations

from typing import Any

from console.admin.overview import ADMINS
from console.http.jobs import Job
from console.http.messages import Request, Response
from console.http.routes import route
from ivr.refused import OperationRefused


@route("/admin/rehearsal", roles=ADMINS)
async def rehearsal(request: Request) -> Response:
    """Show how far the last rehearsal of this administrator is, or what it found."""
    template = "admin/trial.html" if "part" in request.args else "admin/trial_page.html"
    return request.page(template, trial=last_trial(request))


def begin_trial(request: Request, preview: Any) -> Job:
    """Begin the rehearsal of a preview; one that is refused says why, and keeps nobody from the change."""
    try:
        return request.parts.jobs.begin(_key(request), request.operations.site.rehearsal.play(preview))
    except OperationRefused as refused:
        return Job(_key(request), is_running=False, wrong=refused)


def last_trial(request: Request) -> Job | None:
    """Return the last rehearsal that this administrator began."""
    return request.parts.jobs.last(_key(request))


def _key(request: Request) -> str:
    return f"trial:{request.actor}"
