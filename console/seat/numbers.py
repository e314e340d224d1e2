"""Orders without a number: a seat hears what was left, finds the number out, and enters it."""

from __future__ import annotations

from hashlib import sha256

from callback_scheduler.orders.order import Order
from console.errors import NotFound
from console.http.messages import Response
from console.http.routes import route
from console.people.roles import Role
from console.visit import Visit
from routing.phone_numbers import masked

_SEAT = (Role.SEAT,)
_LOOKED_THROUGH = 1000  # open orders, the most urgent first


@route("/seat/numbers", roles=_SEAT, nav="nav.numbers", nav_order=11)
async def numberless(visit: Visit) -> Response:
    """List the open orders that nobody can be rung back for, the most urgent first."""
    operations = visit.operations
    orders = [order for order in await operations.orders.owed(_LOOKED_THROUGH) if not order.callback_number]
    return visit.page(
        "seat/numbers.html", orders=orders, say=visit.speaker(), messages_of=_messages,
        matters={matter.matter_id: matter.name for matter in operations.directory.matters},
        units={unit.unit_id: unit.name for unit in operations.directory.units},
    )  # fmt: skip


@route("/seat/numbers/<order_id>", methods=("POST",), roles=_SEAT)
async def enter_number(visit: Visit) -> Response:
    """Enter the number of one of them, and how it was found out."""
    order = await _numberless(visit)
    number, why = visit.needed("number"), visit.needed("why")
    await visit.operations.orders.set_number(order.order_id, number, why, visit.actor)
    visit.note(about=order.order_id, result=masked(number))
    return visit.go("/seat/numbers").saying(visit.t("seat.said.number", number=order.order_id))


@route("/seat/numbers/<order_id>/messages/<key>", roles=_SEAT)
async def play_message(visit: Visit) -> Response:
    """Give what the caller left to a player, piece by piece (range requests)."""
    path = _messages(await _numberless(visit)).get(visit.args["key"])
    if path is None:
        raise NotFound
    file = visit.operations.recording(path)
    visit.note_played(file)
    return visit.file(file, "audio/wav")


async def _numberless(visit: Visit) -> Order:
    order = await visit.operations.orders.one(visit.args["order_id"])
    if order is None or not order.state.is_open or order.callback_number:
        raise NotFound
    return order


def _messages(order: Order) -> dict[str, str]:
    """Return the files of what was left with an order, by the key that names each in addresses."""
    paths = [order.message_path, *order.messages, *(merged.message_path for merged in order.merged_calls)]
    return {sha256(path.encode()).hexdigest()[:16]: path for path in paths if path}
