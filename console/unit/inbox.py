"""The unit's inbox: what it owes, by what presses most, and what it does with an order."""

from __future__ import annotations

from typing import Any

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderEvent, OrderState
from callback_scheduler.store.search import OrderFilter
from console.errors import Impossible, NotFound
from console.http.messages import Response
from console.http.routes import route
from console.people.roles import Role
from console.unit.view import STEPS, Press, matter_name, may, messages, own_attempts, rows, step_now
from console.visit import Visit
from ivr.refused import OperationRefused
from routing.masking import masked_text
from routing.phone_numbers import masked

UNITS = (Role.UNIT,)
_MOST_OPEN, _MOST_DONE = 1000, 20
_DONE = frozenset({OrderState.REACHED, OrderState.CLOSED})


@route("/unit", roles=UNITS, nav="nav.unit", nav_order=10)
async def inbox(visit: Visit) -> Response:
    """Show the unit's own orders: those it owes, and the last that are done."""
    return visit.page("unit/inbox.html", **await _inbox(visit))


@route("/unit/now", roles=UNITS)
async def inbox_now(visit: Visit) -> Response:
    """Show the list alone, for a page that is open to take in."""
    return visit.page("unit/list.html", **await _inbox(visit))


@route("/unit/orders/<order_id>", roles=UNITS)
async def order_page(visit: Visit) -> Response:
    """Show an order of the unit; one that was merged leads to the one it counts as."""
    order = await own_order(visit)
    if order.order_id != visit.args["order_id"]:
        return visit.go(f"/unit/orders/{order.order_id}")
    return visit.page("unit/order.html", **await _shown(visit, order))


@route("/unit/orders/<order_id>/now", roles=UNITS)
async def order_now(visit: Visit) -> Response:
    """Show where the callback is, and nothing else, for a page that is open to take in."""
    return visit.page("unit/progress.html", **await _shown(visit, await own_order(visit)))


@route("/unit/orders/<order_id>/number", methods=("POST",), roles=UNITS)
async def show_number(visit: Visit) -> Response:
    """Show the order once with the whole number; the reason is in the audit log before it is sent."""
    visit.needed("why")
    visit.note(result="number shown")
    return visit.page("unit/order.html", **await _shown(visit, await own_order(visit), is_unmasked=True))


@route("/unit/orders/<order_id>/recordings/<key>", roles=UNITS)
async def recording(visit: Visit) -> Response:
    """Give a recording of the order to a player, piece by piece (range requests)."""
    order = await own_order(visit)
    for one in messages(order, await visit.operations.calls_of(order.order_id)):
        if one.key == visit.args["key"]:
            file = visit.operations.recording(one.path)
            visit.note_played(file)
            return visit.file(file, "audio/wav")
    raise NotFound


# -- what a unit does -------------------------------------------------------------------------------------------------


@route("/unit/orders/<order_id>/acknowledge", methods=("POST",), roles=UNITS)
async def acknowledge(visit: Visit) -> Response:
    """签收: say that the order is seen."""
    order = await own_order(visit)
    await visit.operations.orders.acknowledge(order.order_id, visit.actor)
    back = "/unit" if visit.form.get("back") == "inbox" else f"/unit/orders/{order.order_id}"
    return visit.go(back).saying(visit.t("unit.said.acknowledge", number=order.order_id))


@route("/unit/orders/<order_id>/ring-back", methods=("POST",), roles=UNITS)
async def ring_back(visit: Visit) -> Response:
    """回电: ring the phone of the account (or one of the unit's that is chosen) first, then the enterprise."""
    order = await own_order(visit)
    assert visit.account is not None
    number = visit.form.get("number", "").strip() or visit.account.number
    if not number:
        raise Impossible(key="unit.no_phone")
    try:
        await visit.operations.orders.ring_back(order.order_id, number, visit.actor, visit.account.number)
    except OperationRefused as refused:
        if not refused.key.startswith("dial."):
            raise
        visit.note(about=order.order_id, result=f"refused.{refused.key}")
        shown = await _shown(visit, order) | {"ring_refusal": visit.words_of(refused)}
        return visit.page("unit/order.html", 409, **shown)
    return visit.go(f"/unit/orders/{order.order_id}").saying(visit.t("unit.said.ring_back"))


@route("/unit/orders/<order_id>/callback-number", methods=("POST",), roles=UNITS)
async def enter_number(visit: Visit) -> Response:
    """Enter the number to ring back that the unit has found out, and how."""
    order, number, why = await own_order(visit), visit.needed("number"), visit.needed("why")
    await visit.operations.orders.set_number(order.order_id, number, why, visit.actor)
    visit.note(result=masked(number))
    return visit.go(f"/unit/orders/{order.order_id}").saying(visit.t("unit.said.number"))


@route("/unit/orders/<order_id>/give-back", methods=("POST",), roles=UNITS)
async def give_back(visit: Visit) -> Response:
    """退单: say why the order is not the unit's."""
    order, why = await own_order(visit), visit.needed("why")
    await visit.operations.orders.give_back(order.order_id, why, visit.actor)
    return visit.go("/unit").saying(visit.t("unit.said.give_back", number=order.order_id))


@route("/unit/orders/<order_id>/self-report", methods=("POST",), roles=UNITS)
async def self_report(visit: Visit) -> Response:
    """自行填报: say that the unit has rung by itself; kept apart from evidence."""
    order, text = await own_order(visit), visit.needed("text")
    await visit.operations.orders.self_report(order.order_id, text, visit.actor)
    return visit.go(f"/unit/orders/{order.order_id}").saying(visit.t("unit.said.self_report"))


@route("/unit/orders/<order_id>/answer", methods=("POST",), roles=UNITS)
async def answer(visit: Visit) -> Response:
    """答复: write what the unit answers."""
    order, text = await own_order(visit), visit.needed("text")
    await visit.operations.orders.write_answer(order.order_id, text, visit.actor)
    return visit.go(f"/unit/orders/{order.order_id}").saying(visit.t("unit.said.answer"))


@route("/unit/orders/<order_id>/enterprise", methods=("POST",), roles=UNITS)
async def name_enterprise(visit: Visit) -> Response:
    """Keep the enterprise's name, and whom to ask for there; what the form showed with a number masked stays."""
    order, form = await own_order(visit), visit.form
    company, contact = (
        "" if (new := form.get(name, "")) == masked_text(known) else new
        for name, known in (("company", order.company), ("contact", order.contact))
    )
    if company or contact or not (order.company or order.contact):
        await visit.operations.orders.name_enterprise(order.order_id, company, contact, visit.actor)
    return visit.go(f"/unit/orders/{order.order_id}").saying(visit.t("unit.said.name_enterprise"))


# -- inside -----------------------------------------------------------------------------------------------------------


async def own_order(visit: Visit) -> Order:
    """Return the order of an address; NotFound if there is none, or it is another unit's now."""
    order: Order | None = await visit.operations.orders.one(visit.args["order_id"])
    if order is None or order.unit_id != visit.unit_id:
        raise NotFound
    return order


async def _inbox(visit: Visit) -> dict[str, Any]:
    find, unit_id = visit.operations.orders.find, visit.unit_id
    is_open = frozenset(state for state in OrderState if state.is_open)
    owed = rows(visit, await find(OrderFilter(unit_id=unit_id, states=is_open, limit=_MOST_OPEN)))
    done = await find(OrderFilter(unit_id=unit_id, states=_DONE, limit=_MOST_DONE))
    return {
        **_words(visit), "rows": owed, "done": done, "most_done": _MOST_DONE,
        "position": visit.console.events.position,
        "late": sum(row.press is Press.LATE for row in owed), "soon": sum(row.press is Press.SOON for row in owed),
        "new": sum(row.order.state in (OrderState.OPENED, OrderState.SENT) for row in owed),
        "waiting": sum(row.press is Press.WAITS for row in owed),
        "unit": unit_of(visit), "has_phone": bool(visit.account and visit.account.number),
    }  # fmt: skip


async def _shown(visit: Visit, order: Order, *, is_unmasked: bool = False) -> dict[str, Any]:
    calls = await visit.operations.calls_of(order.order_id)
    unit = unit_of(visit)
    people = [person for tier in unit.tiers for person in tier.specialists] if unit else []
    return {
        **_words(visit), "order": order, "matter": matter_name(visit, order), "unit": unit, "people": people,
        "messages": messages(order, calls), "attempts": own_attempts(order, calls), "steps": STEPS,
        "step": step_now(visit, order), "is_unmasked": is_unmasked, "position": visit.console.events.position,
        "left_s": (order.due_at - visit.now()).total_seconds(),
        "may_ring": may(order, OrderEvent.ATTEMPT_BEGUN), "may_give_back": may(order, OrderEvent.RETURNED),
        "may_acknowledge": order.acknowledged_at is None and may(order, OrderEvent.ACKNOWLEDGED),
        "may_report": may(order, OrderEvent.SELF_REPORTED), "is_calling": order.state is OrderState.CALLING_BACK,
        "ring_refusal": "",
    }  # fmt: skip


def unit_of(visit: Visit) -> Any:
    """Return the unit of whoever asks; None if the directory has it no more."""
    return next((unit for unit in visit.operations.directory.units if unit.unit_id == visit.unit_id), None)


def _words(visit: Visit) -> dict[str, Any]:
    matters = {matter.matter_id: matter.name for matter in visit.operations.directory.matters}
    return {"say": visit.speaker(), "measure": visit.measurer(), "matter_names": matters}
