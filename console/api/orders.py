"""Orders to read: a list with filters in pages, and one with its timeline."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.store.search import OrderFilter
from console.api.declared import ApiRequest, Instant, Query, operation, path_id
from console.api.hidden import note_numbers
from console.api.order_models import OrderPage, OrderWithTimeline, moment, order_answer, order_fields
from console.errors import NotAllowed, NotFound
from routing.phone_numbers import read_number

CURSOR = Field(default=None, pattern=r"^[0-9A-Za-z.-]{1,64}$", description="`next` of the page before.")
LIMIT = Field(default=50, ge=1, le=200, description="The most that a page holds.")
UNIT = Field(default=None, pattern=r"^[a-z0-9_]{1,64}$", description="A unit_id of the directory.")


def _listed(states: Any) -> Any:
    return states.split(",") if isinstance(states, str) else states


class OrdersQuery(Query):
    """Which orders; those that everything given here fits."""

    unit: str | None = UNIT
    state: Annotated[list[OrderState], BeforeValidator(_listed), Field(min_length=1)] | None = Field(
        default=None, description="One state or more, with commas between them."
    )
    since: Instant | None = Field(default=None, description="Opened then or later.")
    until: Instant | None = Field(default=None, description="Opened before.")
    phone: str | None = Field(
        default=None, max_length=64, pattern=r"[0-9０-９].*[0-9０-９]",
        description="Rung back, or left from: a number in any form, or a part of one. A token without numbers:full "
        "finds whole numbers, seven digits or more of one, its first three and its last four.",
    )  # fmt: skip
    cursor: str | None = CURSOR
    limit: int = LIMIT


ONE_ORDER = {
    "oneOrder": {"operationId": "one_order", "parameters": {"order_id": "$response.body#/orders/0/order_id"}},
    "acknowledge": {"operationId": "acknowledge", "parameters": {"order_id": "$response.body#/orders/0/order_id"}},
}


@operation(
    "/api/v1/orders", scope="orders:read", tag="orders", answer=OrderPage, query=OrdersQuery, links=ONE_ORDER,
    refusals=(404,), summary="List orders, newest first",
)  # fmt: skip
async def orders(request: ApiRequest) -> OrderPage:
    """Pages are stable: what is opened meanwhile stands before the first page, and moves nothing between others.

    A token bound to a unit sees the orders which that unit has now.
    """
    query: OrdersQuery = request.query
    operations = request.visit.operations
    if query.cursor is not None and await operations.orders.one(query.cursor) is None:
        raise NotFound(key="api.cursor")
    orders: list[Order] = await operations.orders.find(
        OrderFilter(
            unit_id=own_unit(request, query.unit), states=frozenset(query.state or ()), since=query.since,
            until=query.until, phone=_in_stored_form(query.phone or ""), sees_numbers=request.sees_numbers,
            after=query.cursor or "", limit=query.limit + 1,
        )
    )  # fmt: skip
    page = orders[: query.limit]
    await note_numbers(request, f"{len(page)} orders")
    following = page[-1].order_id if len(orders) > len(page) else None
    return OrderPage(orders=[order_answer(request, order) for order in page], next=following)


@operation(
    "/api/v1/orders/<order_id>", scope="orders:read", tag="orders", answer=OrderWithTimeline, refusals=(404,),
    summary="One order with its timeline",
)  # fmt: skip
async def one_order(request: ApiRequest) -> OrderWithTimeline:
    """A number that was merged into another order (并单) gives that one: `order_id` is the number that counts."""
    order = await visible_order(request)
    events = await request.visit.operations.orders.events(order.order_id)
    await note_numbers(request, order.order_id)
    timeline = [moment(request, event) for event in events]
    return OrderWithTimeline(**order_fields(request, order), timeline=timeline)


async def visible_order(request: ApiRequest) -> Order:
    """Return the order of the path; NotFound if there is none, or it is another unit's."""
    order: Order | None = await request.visit.operations.orders.one(path_id(request.visit, "order_id"))
    if order is None or request.unit_id not in ("", order.unit_id):
        raise NotFound(key="api.no_order")
    return order


def _in_stored_form(phone: str) -> str:
    whole = read_number(phone)
    return phone if whole is None else str(whole)


def own_unit(request: ApiRequest, unit_id: str | None) -> str:
    """Return the unit that is asked for; NotAllowed if the token is bound to another."""
    if request.unit_id and unit_id not in (None, request.unit_id):
        raise NotAllowed(key="api.other_unit")
    return unit_id or request.unit_id
