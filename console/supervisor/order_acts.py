"""What a supervisor does with an order: each act is asked about on a page of its own, then done."""

from __future__ import annotations

from console.errors import BadInput, NotFound
from console.http.messages import Request, Response
from console.http.routes import route
from console.supervisor.acts import ACTS, Act
from console.supervisor.compliance import SUPERVISORS, leader_of, shared
from console.supervisor.compliance import read_asked as _asked
from console.supervisor.order import asked_order, matter_name

_BACK = {"compliance": "/compliance"}


@route("/orders/<order_id>/act/<act>", roles=SUPERVISORS)
async def ask_act(request: Request) -> Response:
    """Say what will happen, and ask for what it needs; a refusal is told before anything is typed."""
    order, act = await asked_order(request), _act(request)
    leader = next((leader_of(unit) for unit in request.operations.directory.units if unit.unit_id == order.unit_id), "")
    return request.page(
        "orders/act.html", **shared(request, _asked(request)), order=order, act=act, leader=leader,
        is_possible=act.is_possible(order), matter=matter_name(request, order), back=request.args.get("back", ""),
    )  # fmt: skip


@route("/orders/<order_id>/act/<act>", methods=("POST",), roles=SUPERVISORS)
async def do_act(request: Request) -> Response:
    """Do it; what the node refuses comes as an error with its reason, and nothing was done."""
    act, order_id = _act(request), request.args["order_id"]
    why = request.form.get("why", "").strip()
    if act.needs_why and not why:
        raise BadInput(request.t("order.why_missing"))
    unit_id = request.needed("unit_id") if act.needs_unit else ""
    order = await act.do(request.operations.orders, order_id, why, unit_id, request.actor)
    request.note(about=f"{order_id} {act.name}", result=unit_id)
    text = request.t(f"order.done.{act.name}", number=order_id)
    if "application/json" in request.headers.get("accept", ""):
        return request.answer({"text": text, "state": order.state.value if order else ""})
    return request.go(_BACK.get(request.form.get("back", ""), f"/orders/{order_id}")).saying(text)


def _act(request: Request) -> Act:
    act = ACTS.get(request.args["act"])
    if act is None:
        raise NotFound
    return act
