"""The calls behind the figures of calls."""

from __future__ import annotations

from console.http.messages import Request, Response
from console.http.routes import route
from console.supervisor.call_list import SEARCHED_AT_MOST, WHICH, asked_for, page_of
from console.supervisor.compliance import SUPERVISORS, read_asked, shared


@route("/calls", roles=SUPERVISORS)
async def calls(request: Request) -> Response:
    """List calls, by default those of today whose caller asked for a specialist in vain: ?period=…&unit=…&which=…."""
    asked, (which, page) = read_asked(request), asked_for(request.args)
    found = await page_of(request.operations.recent_calls, asked, which, page)
    matters = {matter.matter_id: matter.name for matter in request.operations.directory.matters}
    return request.page(
        "orders/calls.html", **shared(request, asked), which=which, whiches=WHICH, found=found, matters=matters,
        most=SEARCHED_AT_MOST, link=lambda page: f"/calls?{asked.query(which=which, page=page)}",
    )  # fmt: skip
