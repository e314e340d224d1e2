"""The unit's inbox: what it owes, by what presses most, and what it does with an order."""

from __future__ import annotations

from typing import Any

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderEvent, OrderState
from callback_scheduler.store.search import OrderFilter
from console.errors import Impossible, NotFound
from console.http.messages import Request, Response
from console.http.routes import route
from console.people.roles import Role
from console.rendering.spoken_time import measurer, speaker
from console.supervisor.recordings import note_played
from console.unit.view import STEPS, Press, matter_name, may, messages, own_attempts, rows, step_now

UNITS = (Role.UNIT,)
_MOST_OPEN, _MOST_DONE = 1000, 20
_DONE = frozenset({OrderState.REACHED, OrderState.CLOSED})


@route("/unit", roles=UNITS, nav="nav.unit", nav_order=10)
async def inbox(request: Request) -> Response:
    """Show the unit's own orders: those it owes, and the last that are done."""
    return request.page("unit/inbox.html", **await _inbox(request))


@route("/unit/now", roles=UNITS)
async def inbox_now(request: Request) -> Response:
    """Show the list alone, for a page that is open to take in."""
    return request.page("unit/list.html", **await _inbox(request))


@route("/unit/orders/<order_id>", roles=UNITS)
async def order_page(request: Request) -> Response:
    """Show an order of the unit; one that was merged leads to the one it counts as."""
    order = await own_order(request)
    if order.order_id != request.args["order_id"]:
        return request.go(f"/unit/orders/{order.order_id}")
    return request.page("unit/order.html", **await _shown(request, order))


@route("/unit/orders/<order_id>/now", roles=UNITS)
async def order_now(request: Request) -> Response:
    """Show where the callback is, and nothing else, for a page that is open to take in."""
    return request.page("unit/progress.html", **await _shown(request, await own_order(request)))


@route("/unit/orders/<order_id>/number", methods=("POST",), roles=UNITS)
async def show_number(request: Request) -> Response:
    """Show the order once with the whole number; the reason is in the audit log before it is sent."""
    request.needed("why")
    request.note(result="number shown")
    return request.page("unit/order.html", **await _shown(request, await own_order(request), is_unmasked=True))


@route("/unit/orders/<order_id>/recordings/<key>", roles=UNITS)
async def recording(request: Request) -> Response:
    """Give a recording of the order to a player, piece by piece (range requests)."""
    order = await own_order(request)
    for one in messages(order, await request.operations.calls_of(order.order_id)):
        if one.key == request.args["key"]:
            file = request.operations.recording(one.path)
            note_played(request, file)
            return request.file(file, "audio/wav")
    raise NotFound


# -- what a unit does -------------------------------------------------------------------------------------------------


@route("/unit/orders/<order_id>/acknowledge", methods=("POST",), roles=UNITS)
async def acknowledge(request: Request) -> Response:
    """签收: say that the order is seen."""
    order = await own_order(request)
    await request.operations.orders.acknowledge(order.order_id, request.actor)
    back = "/unit" if request.form.get("back") == "inbox" else f"/unit/orders/{order.order_id}"
    return request.go(back).saying(request.t("unit.said.acknowledge", number=order.order_id))


@route("/unit/orders/<order_id>/ring-back", methods=("POST",), roles=UNITS)
async def ring_back(request: Request) -> Response:
    """回电: ring the phone of the account (or one of the unit's that is chosen) first, then the enterprise."""
    order = await own_order(request)
    assert request.account is not None
    number = request.form.get("number", "").strip() or request.account.number
    if not number:
        raise Impossible(key="unit.no_phone")
    await request.operations.orders.ring_back(order.order_id, number, request.actor, request.account.number)
    return request.go(f"/unit/orders/{order.order_id}").saying(request.t("unit.said.ring_back"))


@route("/unit/orders/<order_id>/give-back", methods=("POST",), roles=UNITS)
async def give_back(request: Request) -> Response:
    """退单: say why the order is not the unit's."""
    order, why = await own_order(request), request.needed("why")
    await request.operations.orders.give_back(order.order_id, why, request.actor)
    return request.go("/unit").saying(request.t("unit.said.give_back", number=order.order_id))


@route("/unit/orders/<order_id>/self-report", methods=("POST",), roles=UNITS)
async def self_report(request: Request) -> Response:
    """自行填报: say that the unit has rung by itself; kept apart from evidence."""
    order, text = await own_order(request), request.needed("text")
    await request.operations.orders.self_report(order.order_id, text, request.actor)
    return request.go(f"/unit/orders/{order.order_id}").saying(request.t("unit.said.self_report"))


@route("/unit/orders/<order_id>/answer", methods=("POST",), roles=UNITS)
async def answer(request: Request) -> Response:
    """答复: write what the unit answers."""
    order, text = await own_order(request), request.needed("text")
    await request.operations.orders.write_answer(order.order_id, text, request.actor)
    return request.go(f"/unit/orders/{order.order_id}").saying(request.t("unit.said.answer"))


# -- inside -----------------------------------------------------------------------------------------------------------


async def own_order(request: Request) -> Order:
    """Return the order of an address; NotFound if there is none, or it is another unit's now."""
    order: Order | None = await request.operations.orders.one(request.args["order_id"])
    if order is None or order.unit_id != request.unit_id:
        raise NotFound
    return order


async def _inbox(request: Request) -> dict[str, Any]:
    find, unit_id = request.operations.orders.find, request.unit_id
    is_open = frozenset(state for state in OrderState if state.is_open)
    owed = rows(request, await find(OrderFilter(unit_id=unit_id, states=is_open, limit=_MOST_OPEN)))
    done = await find(OrderFilter(unit_id=unit_id, states=_DONE, limit=_MOST_DONE))
    return {
        **_words(request), "rows": owed, "done": done, "most_done": _MOST_DONE,
        "position": request.parts.events.position,
        "late": sum(row.press is Press.LATE for row in owed), "soon": sum(row.press is Press.SOON for row in owed),
        "new": sum(row.order.state in (OrderState.OPENED, OrderState.SENT) for row in owed),
        "waiting": sum(row.press is Press.WAITS for row in owed),
        "unit": unit_of(request), "has_phone": bool(request.account and request.account.number),
    }  # fmt: skip


async def _shown(request: Request, order: Order, *, is_unmasked: bool = False) -> dict[str, Any]:
    calls = await request.operations.calls_of(order.order_id)
    unit = unit_of(request)
    people = [person for tier in unit.tiers for person in tier.specialists] if unit else []
    return {
        **_words(request), "order": order, "matter": matter_name(request, order), "unit": unit, "people": people,
        "messages": messages(order, calls), "attempts": own_attempts(order, calls), "steps": STEPS,
        "step": step_now(request, order), "is_unmasked": is_unmasked, "position": request.parts.events.position,
        "left_s": (order.due_at - request.parts.now()).total_seconds(),
        "may_ring": may(order, OrderEvent.ATTEMPT_BEGUN), "may_give_back": may(order, OrderEvent.RETURNED),
        "may_acknowledge": order.acknowledged_at is None and may(order, OrderEvent.ACKNOWLEDGED),
        "may_report": may(order, OrderEvent.SELF_REPORTED), "is_calling": order.state is OrderState.CALLING_BACK,
    }  # fmt: skip


def unit_of(request: Request) -> Any:
    """Return the unit of whoever asks; None if the directory has it no more."""
    return next((unit for unit in request.operations.directory.units if unit.unit_id == request.unit_id), None)


def _words(request: Request) -> dict[str, Any]:
    matters = {matter.matter_id: matter.name for matter in request.operations.directory.matters}
    return {"say": speaker(request), "measure": measurer(request), "matter_names": matters}
