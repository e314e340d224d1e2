"""The live wall: what is going on now, pushed as it happens; a supervisor listens, whispers and barges in from here."""

from __future__ import annotations

from console.errors import Impossible
from console.http.messages import Request, Response
from console.http.routes import route
from console.people.roles import Role
from console.rendering.spoken_time import speaker
from console.wall.view import figures, present

_VIEWERS = (Role.SUPERVISOR, Role.ADMIN)
_SUPERVISOR = (Role.SUPERVISOR,)


# nobody begins the day here: a supervisor does at what is due, an administrator at home
@route("/wall", roles=_VIEWERS, nav="nav.wall", nav_order=60)
async def wall(request: Request) -> Response:
    """Show calls, seats, lines and figures; what comes later is pushed."""
    counted = await figures(request)  # first: what waits must not come between the moment shown and its events
    return request.page("wall/wall.html", at=speaker(request), **counted, **present(request))


@route("/wall/figures", roles=_VIEWERS)
async def wall_figures(request: Request) -> Response:
    """Return the part of the wall that is counted: asked for when a call or an order has come to something."""
    return request.page("wall/figures.html", at=speaker(request), **await figures(request))


@route("/wall/calls/<call_id>/supervise", methods=("POST",), roles=_SUPERVISOR)
async def supervise(request: Request) -> Response:
    """Ring the supervisor's own phone and let it hear a call."""
    account = request.account
    assert account is not None
    if not account.number:
        raise Impossible(key="wall.no_number")
    mode = request.form.get("mode", "listen")
    request.note(result=mode)
    await request.operations.calls.supervise(
        request.args["call_id"], account.number, mode, request.actor, name=account.shown_name
    )
    return _done(request, "wall.rings_you")


@route("/wall/supervisions/<supervision_id>/mode", methods=("POST",), roles=_SUPERVISOR)
async def change_mode(request: Request) -> Response:
    """Let others hear the supervisor, or hear him no more."""
    mode = request.needed("mode")
    request.note(result=mode)
    await request.operations.calls.change_supervision(request.args["supervision_id"], mode, request.actor)
    return _done(request, f"wall.now.{mode}")


@route("/wall/supervisions/<supervision_id>/stop", methods=("POST",), roles=_SUPERVISOR)
async def stop(request: Request) -> Response:
    """Take the supervisor out of the call."""
    await request.operations.calls.stop_supervision(request.args["supervision_id"], request.actor)
    return _done(request, "wall.stopped")


def _done(request: Request, key: str) -> Response:
    """Return JSON to a script of ours, and the wall with a word to a form."""
    if "application/json" in request.headers.get("accept", ""):
        return request.answer({"text": request.t(key)})
    return request.go("/wall").saying(request.t(key))
