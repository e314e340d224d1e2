"""The seat's desk: the call in hand, putting it through, hold, wrap-up; all that the phone's keys can do, too."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from console.errors import BadInput, Impossible
from console.http.messages import Request, Response
from console.http.routes import route
from console.people.roles import Role
from console.seat.view import present
from ivr.calls.digits import TargetKind
from ivr.calls.seat_states import SeatState

_SEAT = (Role.SEAT,)
_RESULTS_SHOWN = 12
_KINDS = frozenset(kind.value for kind in TargetKind)
_STATES = frozenset(state.value for state in SeatState)


@route("/seat", roles=_SEAT, nav="nav.seat", nav_order=10)
async def seat(request: Request) -> Response:
    """Show the desk; `q` searches where there is no script."""
    sought = request.args.get("q", "")
    shown = await present(request)
    return request.page("seat/seat.html", sought=sought, results=_found(request, sought), **shown)


@route("/seat/now", roles=_SEAT)
async def seat_now(request: Request) -> Response:
    """Return the parts of the desk that change: asked for when something has happened to the seat or its call."""
    return request.page("seat/now.html", **await present(request))


@route("/seat/search", roles=_SEAT)
async def search(request: Request) -> Response:
    """Return matters, units and people by what is typed: Chinese, pinyin, initials, a number or a code."""
    return request.answer({"results": _found(request, request.args.get("q", ""))})


@route("/seat/calls/<call_id>/transfer", methods=("POST",), roles=_SEAT)
async def transfer(request: Request) -> Response:
    """Bring in the specialists of a matter or unit, or one person."""
    kind, target = request.needed("kind"), request.needed("target")
    if kind not in _KINDS:
        raise BadInput
    request.note(result=f"{kind} {target}")
    call_id, number = request.args["call_id"], _number(request)
    await request.operations.calls.transfer(call_id, target, request.actor, kind=kind, seat_number=number)
    return _done(request, "seat.said.transfer")


@route("/seat/calls/<call_id>/hold", methods=("POST",), roles=_SEAT)
async def hold(request: Request) -> Response:
    """Let the caller hear music, or take him back; the form says which of the two."""
    is_held = request.needed("held") == "yes"
    request.note(result="held" if is_held else "taken back")
    call_id, number = request.args["call_id"], _number(request)
    await request.operations.calls.hold(call_id, request.actor, seat_number=number, is_held=is_held)
    return _done(request, "seat.said.hold" if is_held else "seat.said.take_back")


@route("/seat/calls/<call_id>/drop", methods=("POST",), roles=_SEAT)
async def drop(request: Request) -> Response:
    """Take the specialist out, or call off the search."""
    await request.operations.calls.drop(request.args["call_id"], request.actor, seat_number=_number(request))
    return _done(request, "seat.said.drop")


@route("/seat/calls/<call_id>/leave", methods=("POST",), roles=_SEAT)
async def leave(request: Request) -> Response:
    """Leave the two talking."""
    await request.operations.calls.leave(request.args["call_id"], request.actor, seat_number=_number(request))
    return _done(request, "seat.said.leave")


@route("/seat/wrap-up", methods=("POST",), roles=_SEAT)
async def wrap_up(request: Request) -> Response:
    """Keep what the seat writes about its call, the one in hand or the last."""
    text = request.needed("text")
    await request.operations.calls.wrap_up(_number(request), text, request.actor)
    return _done(request, "seat.said.noted")


@route("/seat/state", methods=("POST",), roles=_SEAT)
async def set_state(request: Request) -> Response:
    """Be offered calls, or none, with a reason."""
    state = request.needed("state")
    if state not in _STATES:
        raise BadInput
    request.note(result=state)
    await request.operations.calls.set_seat_state(
        _number(request), state, request.form.get("why", ""), request.actor
    )
    return _done(request, f"seat.said.{state}")


def _number(request: Request) -> str:
    """Return the phone of whoever asks; Impossible if the account has none."""
    assert request.account is not None
    if not request.account.number:
        raise Impossible(key="seat.no_number")
    return request.account.number


def _found(request: Request, words: str) -> list[dict[str, Any]]:
    found = request.operations.calls.search(words, _RESULTS_SHOWN) if words.strip() else []
    return [asdict(one) | {"kind": one.kind.value} for one in found]


def _done(request: Request, key: str) -> Response:
    """Return JSON to a script of ours, and the desk with a word to a form."""
    if "application/json" in request.headers.get("accept", ""):
        return request.answer({"text": request.t(key)})
    return request.go("/seat").saying(request.t(key))
