"""What a supervisor does with an order: each act is asked about on a page of its own, then done."""

from __future__ import annotations

from console.errors import BadInput, NotFound
from console.http.messages import Response
from console.http.routes import route
from console.supervisor.acts import ACTS, Act
from console.supervisor.compliance import SUPERVISORS, filters_of, leader_of, shared
from console.supervisor.order import matter_name, order_of
from console.visit import Visit
from routing.phone_numbers import masked

_BACK = {"compliance": "/compliance"}


@route("/orders/<order_id>/act/<act>", roles=SUPERVISORS)
async def ask_act(visit: Visit) -> Response:
    """Say what will happen, and ask for what it needs; a refusal is told before anything is typed."""
    order, act = await order_of(visit), _act(visit)
    leader = next((leader_of(unit) for unit in visit.operations.directory.units if unit.unit_id == order.unit_id), "")
    return visit.page(
        "orders/act.html", **shared(visit, filters_of(visit)), order=order, act=act, leader=leader,
        is_possible=act.is_possible(order), matter=matter_name(visit, order), back=visit.args.get("back", ""),
    )  # fmt: skip


@route("/orders/<order_id>/act/<act>", methods=("POST",), roles=SUPERVISORS)
async def do_act(visit: Visit) -> Response:
    """Do it; what the node refuses comes as an error with its reason, and nothing was done."""
    act, order_id = _act(visit), visit.args["order_id"]
    why = visit.form.get("why", "").strip()
    if act.needs_why and not why:
        raise BadInput(visit.t("order.why_missing"))
    named = "unit_id" if act.needs_unit else "number" if act.needs_number else ""
    subject = visit.needed(named) if named else ""
    order = await act.do(visit.operations.orders, order_id, why, subject, visit.actor)
    visit.note(about=f"{order_id} {act.name}", result=masked(subject) if act.needs_number else subject)
    text = visit.t(f"order.done.{act.name}", number=order_id)
    if "application/json" in visit.headers.get("accept", ""):
        return visit.answer({"text": text, "state": order.state.value if order else ""})
    return visit.go(_BACK.get(visit.form.get("back", ""), f"/orders/{order_id}")).saying(text)


def _act(visit: Visit) -> Act:
    act = ACTS.get(visit.args["act"])
    if act is None:
        raise NotFound
    return act
