"""The orders behind a figure, and the search for one."""

from __future__ import annotations

from callback_scheduler.orders.verdict import Verdict
from console.http.messages import Response
from console.http.routes import route
from console.supervisor.compliance import SUPERVISORS, filters_of, shared
from console.supervisor.filters import Filters
from console.supervisor.order_list import REACHED, Narrowing, behind, narrowing_of, page_of
from console.visit import Visit


@route("/orders", roles=SUPERVISORS, nav="nav.orders", nav_order=12)
async def orders(visit: Visit) -> Response:
    """List orders: ?period=…&unit=…&rule=…&verdict=…&kind=…&reached=…&due=1&q=…&page=…"""
    filters, narrowing = filters_of(visit, "days_90"), narrowing_of(visit.args)
    operations = visit.operations
    if narrowing.words.isdecimal() and len(narrowing.words) >= 10:  # a whole number, of whatever day
        order = await operations.orders.one(narrowing.words)
        if order is not None:
            return visit.go(f"/orders/{order.order_id}")
    report = await operations.report(filters.question(visit.now(), operations.calendar))
    listing = await page_of(behind(report, narrowing), narrowing, operations.orders.named)
    return visit.page(
        "orders/orders.html", **shared(visit, filters), narrowing=narrowing, listing=listing, reached=REACHED,
        verdicts=list(Verdict), link=_Links(filters, narrowing),
    )  # fmt: skip


class _Links:
    """Makes the address of this list with something changed."""

    def __init__(self, filters: Filters, narrowing: Narrowing) -> None:
        self._filters, self._narrowing = filters, narrowing

    def __call__(self, **changed: str) -> str:
        return f"/orders?{self._filters.query(**self._narrowing.query() | changed)}"
