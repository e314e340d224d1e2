"""The rehearsal of a previewed change: some days of made-up calls, played in a process of its own while people read."""

from __future__ import annotations

from typing import Any

from console.admin.overview import ADMINS
from console.http.jobs import Job
from console.http.messages import Response
from console.http.routes import route
from console.visit import Visit
from ivr.refused import OperationRefused


@route("/admin/rehearsal", roles=ADMINS)
async def rehearsal(visit: Visit) -> Response:
    """Show how far the last rehearsal of this administrator is, or what it found."""
    template = "admin/trial.html" if "part" in visit.args else "admin/trial_page.html"
    return visit.page(template, trial=last_trial(visit))


def begin_trial(visit: Visit, preview: Any) -> Job:
    """Begin the rehearsal of a preview; one that is refused says why, and keeps nobody from the change."""
    try:
        return visit.console.jobs.begin(_key(visit), visit.operations.site.rehearsal.play(preview))
    except OperationRefused as refused:
        return Job(_key(visit), is_running=False, wrong=refused)


def last_trial(visit: Visit) -> Job | None:
    """Return the last rehearsal that this administrator began."""
    return visit.console.jobs.last(_key(visit))


def _key(visit: Visit) -> str:
    return f"trial:{visit.actor!s}"
