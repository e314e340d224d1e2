"""The orders behind a figure, and the search for one."""

from __future__ import annotations

from callback_scheduler.orders.verdict import Verdict
from console.http.messages import Response
from console.http.routes import route
from console.supervisor.compliance import SUPERVISORS, read_asked, shared
from console.supervisor.order_list import REACHED, Narrowed, behind, narrowed, page_of
from console.supervisor.question import Asked
from console.visit import Visit


@route("/orders", roles=SUPERVISORS, nav="nav.orders", nav_order=12)
async def orders(visit: Visit) -> Response:
    """List orders: ?period=…&unit=…&rule=…&verdict=…&kind=…&reached=…&due=1&q=…&page=…"""
    asked, narrow = read_asked(visit, "days_90"), narrowed(visit.args)
    operations = visit.operations
    if narrow.words.isdecimal() and len(narrow.words) >= 10:  # a whole number, of whatever day
        order = await operations.orders.one(narrow.words)
        if order is not None:
            return visit.go(f"/orders/{order.order_id}")
    report = await operations.report(asked.question(visit.now(), operations.calendar))
    found = await page_of(behind(report, narrow), narrow, operations.orders.named)
    return visit.page(
        "orders/orders.html", **shared(visit, asked), narrow=narrow, found=found, reached=REACHED,
        verdicts=list(Verdict), link=_Links(asked, narrow),
    )  # fmt: skip


class _Links:
    """Makes the address of this list with something changed."""

    def __init__(self, asked: Asked, narrow: Narrowed) -> None:
        self._asked, self._narrow = asked, narrow

    def __call__(self, **changed: str) -> str:
        return f"/orders?{self._asked.query(**self._narrow.query() | changed)}"
