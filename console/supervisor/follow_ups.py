"""Bad ratings and matters not solved, of whatever call: listed until a supervisor says what was done about them."""

from __future__ import annotations

from console.http.messages import Response
from console.http.routes import route
from console.supervisor.compliance import SUPERVISORS, unit_names
from console.visit import Visit


@route("/follow-ups", roles=SUPERVISORS, nav="nav.follow_ups", nav_order=13)
async def follow_ups(visit: Visit) -> Response:
    """List what nobody has seen to yet, each with its call."""
    waiting = await visit.operations.follow_ups.waiting()
    wrap_ups = await visit.operations.seats.wrap_ups_of([one["call_id"] for one in waiting])
    matters = {matter.matter_id: matter.name for matter in visit.operations.directory.matters}
    return visit.page(
        "orders/follow_ups.html", waiting=waiting, matters=matters,
        wrap_ups=wrap_ups, unit_name=unit_names(visit).get, say=visit.speaker(),
    )  # fmt: skip


@route("/follow-ups/<survey_id>/settle", methods=("POST",), roles=SUPERVISORS)
async def settle(visit: Visit) -> Response:
    """Keep what was done about a rating."""
    survey_id, why = visit.args["survey_id"], visit.needed("why")
    await visit.operations.follow_ups.settle(survey_id, why, visit.actor)
    visit.note(about=survey_id, why=why)
    return visit.go("/follow-ups").saying(visit.t("follow_ups.settled"))
