"""The live wall: what is going on now, pushed as it happens; a supervisor listens, whispers and barges in from here."""

from __future__ import annotations

from console.errors import Impossible
from console.http.messages import Response
from console.http.routes import route
from console.people.roles import Role
from console.visit import Visit
from console.wall.view import figures, present

_VIEWERS = (Role.SUPERVISOR, Role.ADMIN)
_SUPERVISOR = (Role.SUPERVISOR,)


# nobody begins the day here: a supervisor does at what is due, an administrator at home
@route("/wall", roles=_VIEWERS, nav="nav.wall", nav_order=60)
async def wall(visit: Visit) -> Response:
    """Show calls, seats, lines and figures; what comes later is pushed."""
    counted = await figures(visit)  # first: what waits must not come between the moment shown and its events
    return visit.page("wall/wall.html", at=visit.speaker(), **counted, **present(visit))


@route("/wall/figures", roles=_VIEWERS)
async def wall_figures(visit: Visit) -> Response:
    """Return the part of the wall that is counted: asked for when a call or an order has come to something."""
    return visit.page("wall/figures.html", at=visit.speaker(), **await figures(visit))


@route("/wall/calls/<call_id>/supervise", methods=("POST",), roles=_SUPERVISOR)
async def supervise(visit: Visit) -> Response:
    """Ring the supervisor's own phone and let them hear a call."""
    account = visit.account
    assert account is not None
    if not account.number:
        raise Impossible(key="wall.no_number")
    mode = visit.form.get("mode", "listen")
    visit.note(result=mode)
    await visit.operations.supervision.begin(
        visit.args["call_id"], account.number, mode, visit.actor, name=account.shown_name
    )
    return _done(visit, "wall.rings_you")


@route("/wall/supervisions/<supervision_id>/mode", methods=("POST",), roles=_SUPERVISOR)
async def change_mode(visit: Visit) -> Response:
    """Let others hear the supervisor, or hear them no more."""
    mode = visit.needed("mode")
    visit.note(result=mode)
    await visit.operations.supervision.change(visit.args["supervision_id"], mode, visit.actor)
    return _done(visit, f"wall.now.{mode}")


@route("/wall/supervisions/<supervision_id>/stop", methods=("POST",), roles=_SUPERVISOR)
async def stop(visit: Visit) -> Response:
    """Take the supervisor out of the call."""
    await visit.operations.supervision.stop(visit.args["supervision_id"], visit.actor)
    return _done(visit, "wall.stopped")


def _done(visit: Visit, key: str) -> Response:
    """Return JSON to a script of ours, and the wall with a word to a form."""
    if "application/json" in visit.headers.get("accept", ""):
        return visit.answer({"text": visit.t(key)})
    return visit.go("/wall").saying(visit.t(key))
