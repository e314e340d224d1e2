"""The calls behind the figures of calls."""

from __future__ import annotations

from console.http.messages import Response
from console.http.routes import route
from console.supervisor.call_list import SEARCHED_AT_MOST, WHICH, page_of, which_calls
from console.supervisor.compliance import SUPERVISORS, filters_of, shared
from console.visit import Visit


@route("/calls", roles=SUPERVISORS)
async def calls(visit: Visit) -> Response:
    """List calls, by default those of today whose caller asked for a specialist in vain: ?period=…&unit=…&which=…."""
    filters, (which, page) = filters_of(visit), which_calls(visit.args)
    listing = await page_of(visit.operations.recent_calls, filters, which, page)
    wrap_ups = await visit.operations.seats.wrap_ups_of([row.call_id for row in listing.rows])
    matters = {matter.matter_id: matter.name for matter in visit.operations.directory.matters}
    return visit.page(
        "orders/calls.html", **shared(visit, filters), which=which, whiches=WHICH, listing=listing, matters=matters,
        wrap_ups=wrap_ups,
        most=SEARCHED_AT_MOST, link=lambda page: f"/calls?{filters.query(which=which, page=page)}",
    )  # fmt: skip
