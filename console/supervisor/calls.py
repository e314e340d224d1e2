"""The calls behind the figures of calls."""

from __future__ import annotations

from console.http.messages import Response
from console.http.routes import route
from console.supervisor.call_list import SEARCHED_AT_MOST, WHICH, asked_for, page_of
from console.supervisor.compliance import SUPERVISORS, read_asked, shared
from console.visit import Visit


@route("/calls", roles=SUPERVISORS)
async def calls(visit: Visit) -> Response:
    """List calls, by default those of today whose caller asked for a specialist in vain: ?period=…&unit=…&which=…."""
    asked, (which, page) = read_asked(visit), asked_for(visit.args)
    found = await page_of(visit.operations.recent_calls, asked, which, page)
    matters = {matter.matter_id: matter.name for matter in visit.operations.directory.matters}
    return visit.page(
        "orders/calls.html", **shared(visit, asked), which=which, whiches=WHICH, found=found, matters=matters,
        most=SEARCHED_AT_MOST, link=lambda page: f"/calls?{asked.query(which=which, page=page)}",
    )  # fmt: skip
