"""What a supervisor does with an order: each act is asked about on a page of its own, then done."""

from __future__ import annotations

from callback_scheduler.orders.order import Order
from console.errors import BadInput, NotFound
from console.http.messages import Response
from console.http.routes import route
from console.supervisor.acts import ACTS, Act
from console.supervisor.compliance import SUPERVISORS, filters_of, leader_of, shared
from console.supervisor.order import matter_name, order_of
from console.visit import Visit
from ivr.refused import OperationRefused
from routing.phone_numbers import masked

_BACK = {"compliance": "/compliance"}


@route("/orders/<order_id>/act/<act>", roles=SUPERVISORS)
async def ask_act(visit: Visit) -> Response:
    """Say what will happen, and ask for what it needs; a refusal is told before anything is typed."""
    return await _asked(visit, await order_of(visit), _act(visit))


async def _asked(visit: Visit, order: Order, act: Act, refusal: str = "", status: int = 200) -> Response:
    leader = next((leader_of(unit) for unit in visit.operations.directory.units if unit.unit_id == order.unit_id), "")
    return visit.page(
        "orders/act.html", status, **shared(visit, filters_of(visit)), order=order, act=act, leader=leader,
        is_possible=act.is_possible(order), matter=matter_name(visit, order), back=visit.args.get("back", ""),
        refusal=refusal,
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
    is_script = "application/json" in visit.headers.get("accept", "")
    try:
        order = await act.do(visit.operations.orders, order_id, why, subject, visit.actor)
    except OperationRefused as refused:
        if is_script or not act.may_overrule or not refused.key.startswith("dial."):
            raise
        # without scripts the form comes again, with the reason beside the field that overrules it
        visit.note(about=f"{order_id} {act.name}", result=f"refused.{refused.key}")
        return await _asked(visit, await order_of(visit), act, visit.words_of(refused), 409)
    visit.note(about=f"{order_id} {act.name}", result=masked(subject) if act.needs_number else subject)
    text = visit.t(f"order.done.{act.name}", number=order_id)
    if is_script:
        return visit.answer({"text": text, "state": order.state.value if order else ""})
    return visit.go(_BACK.get(visit.form.get("back", ""), f"/orders/{order_id}")).saying(text)


def _act(visit: Visit) -> Act:
    act = ACTS.get(visit.args["act"])
    if act is None:
        raise NotFound
    return act
