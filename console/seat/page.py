"""The seat's desk: the call in hand, putting it through, hold, wrap-up; all that the phone's keys can do, too."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from console.errors import BadInput, Impossible
from console.http.messages import Response
from console.http.routes import route
from console.people.roles import Role
from console.seat.view import present
from console.visit import Visit
from ivr.calls.digits import TargetKind
from ivr.calls.seat_states import SeatState

_SEAT = (Role.SEAT,)
_RESULTS_SHOWN = 12
_KINDS = frozenset(kind.value for kind in TargetKind)
_STATES = frozenset(state.value for state in SeatState)


@route("/seat", roles=_SEAT, nav="nav.seat", nav_order=10)
async def seat(visit: Visit) -> Response:
    """Show the desk; `q` searches where there is no script."""
    sought = visit.args.get("q", "")
    shown = await present(visit)
    return visit.page("seat/seat.html", sought=sought, results=_results(visit, sought), **shown)


@route("/seat/now", roles=_SEAT)
async def seat_now(visit: Visit) -> Response:
    """Return the parts of the desk that change: asked for when something has happened to the seat or its call."""
    return visit.page("seat/now.html", **await present(visit))


@route("/seat/search", roles=_SEAT)
async def search(visit: Visit) -> Response:
    """Return matters, units and people by what is typed: Chinese, pinyin, initials, a number or a code."""
    return visit.answer({"results": _results(visit, visit.args.get("q", ""))})


@route("/seat/calls/<call_id>/transfer", methods=("POST",), roles=_SEAT)
async def transfer(visit: Visit) -> Response:
    """Bring in the specialists of a matter or unit, or one person."""
    kind, target = visit.needed("kind"), visit.needed("target")
    if kind not in _KINDS:
        raise BadInput
    visit.note(result=f"{kind} {target}")
    call_id, number = visit.args["call_id"], _number(visit)
    await visit.operations.calls.transfer(call_id, target, visit.actor, kind=kind, seat_number=number)
    return _done(visit, "seat.said.transfer")


@route("/seat/calls/<call_id>/hold", methods=("POST",), roles=_SEAT)
async def hold(visit: Visit) -> Response:
    """Let the caller hear music, or take them back; the form says which of the two."""
    is_held = visit.needed("held") == "yes"
    visit.note(result="held" if is_held else "taken back")
    call_id, number = visit.args["call_id"], _number(visit)
    await visit.operations.calls.hold(call_id, visit.actor, seat_number=number, is_held=is_held)
    return _done(visit, "seat.said.hold" if is_held else "seat.said.take_back")


@route("/seat/calls/<call_id>/drop", methods=("POST",), roles=_SEAT)
async def drop(visit: Visit) -> Response:
    """Take the specialist out, or call off the search."""
    await visit.operations.calls.drop(visit.args["call_id"], visit.actor, seat_number=_number(visit))
    return _done(visit, "seat.said.drop")


@route("/seat/calls/<call_id>/leave", methods=("POST",), roles=_SEAT)
async def leave(visit: Visit) -> Response:
    """Leave the two talking."""
    await visit.operations.calls.leave(visit.args["call_id"], visit.actor, seat_number=_number(visit))
    return _done(visit, "seat.said.leave")


@route("/seat/wrap-up", methods=("POST",), roles=_SEAT)
async def wrap_up(visit: Visit) -> Response:
    """Keep what the seat writes about its call, the one in hand or the last."""
    text = visit.needed("text")
    await visit.operations.seats.wrap_up(_number(visit), text, visit.actor)
    return _done(visit, "seat.said.noted")


@route("/seat/enterprise", methods=("POST",), roles=_SEAT)
async def name_enterprise(visit: Visit) -> Response:
    """Keep who is calling: the enterprise's name, and whom to ask for there."""
    company, contact = visit.form.get("company", ""), visit.form.get("contact", "")
    await visit.operations.seats.name_enterprise(_number(visit), company, contact, visit.actor)
    return _done(visit, "seat.said.named")


@route("/seat/state", methods=("POST",), roles=_SEAT)
async def set_state(visit: Visit) -> Response:
    """Be offered calls, or none, with a reason."""
    state = visit.needed("state")
    if state not in _STATES:
        raise BadInput
    visit.note(result=state)
    await visit.operations.seats.set_seat_state(
        _number(visit), state, visit.form.get("why", ""), visit.actor
    )
    return _done(visit, f"seat.said.{state}")


def _number(visit: Visit) -> str:
    """Return the phone of whoever asks; Impossible if the account has none."""
    assert visit.account is not None
    if not visit.account.number:
        raise Impossible(key="seat.no_number")
    return visit.account.number


def _results(visit: Visit, words: str) -> list[dict[str, Any]]:
    results = visit.operations.calls.search(words, _RESULTS_SHOWN) if words.strip() else []
    return [asdict(one) | {"kind": one.kind.value} for one in results]


def _done(visit: Visit, key: str) -> Response:
    """Return JSON to a script of ours, and the desk with a word to a form."""
    if "application/json" in visit.headers.get("accept", ""):
        return visit.answer({"text": visit.t(key)})
    return visit.go("/seat").saying(visit.t(key))
