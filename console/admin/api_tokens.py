"""Tokens of programs: an administrator makes them with their scopes, sees when they were used, and revokes them."""

from __future__ import annotations

import re

from console.errors import BadInput, Impossible, NotFound
from console.http.messages import Response
from console.http.routes import route
from console.people.roles import Role
from console.people.tokens import API, SCOPES
from console.visit import Visit
from routing.from_outside import whole_number

_ADMIN = (Role.ADMIN,)
_NAME = re.compile(r"[\w.-]{1,40}")
_A_DAY_S, _LONGEST_DAYS = 86_400.0, 730


@route("/api-tokens", roles=_ADMIN, nav="nav.tokens", nav_order=75)
async def api_tokens(visit: Visit) -> Response:
    """List the tokens that are good, and ask for a new one."""
    return _page(visit)


@route("/api-tokens", methods=("POST",), roles=_ADMIN)
async def make_api_token(visit: Visit) -> Response:
    """Make a token and show it, once."""
    name, scopes = visit.form.get("name", "").strip(), visit.lists.get("scopes", ())
    if not _NAME.fullmatch(name):
        raise BadInput(key="tokens.bad_name")
    if not scopes or set(scopes) - set(SCOPES):
        raise BadInput(key="tokens.bad_scopes")
    if any(one.name == name for one in visit.people.tokens.of_kind(API)):
        raise Impossible(key="tokens.name_taken")
    unit_id = visit.form.get("unit_id", "")
    if unit_id and unit_id not in {unit.unit_id for unit in visit.operations.directory.units}:
        raise BadInput(key="tokens.bad_unit")
    text = await visit.people.tokens.make(
        API, name, _days(visit) * _A_DAY_S, scopes=tuple(one for one in SCOPES if one in scopes),
        made_by=str(visit.actor), unit_id=unit_id,
    )  # fmt: skip
    visit.note(about=name, result=f"{' '.join(sorted(scopes))} {unit_id}".strip())
    return _page(visit, made=text)


@route("/api-tokens/<name>/revoke", methods=("POST",), roles=_ADMIN)
async def revoke_api_token(visit: Visit) -> Response:
    """Let a token be worth nothing from now on."""
    name = _named(visit)
    await visit.people.tokens.withdraw(API, name)
    return visit.go("/api-tokens").saying(visit.t("tokens.revoked", name=name))


@route("/api-tokens/<name>/take-over", methods=("POST",), roles=_ADMIN)
async def take_over_api_token(visit: Visit) -> Response:
    """Answer for a token from now on: it is worth something again if who made it is no administrator any more."""
    name = _named(visit)
    await visit.people.tokens.take_over(API, name, str(visit.actor))
    return visit.go("/api-tokens").saying(visit.t("tokens.taken_over", name=name))


def _named(visit: Visit) -> str:
    name = visit.args["name"]
    if not any(one.name == name for one in visit.people.tokens.of_kind(API)):
        raise NotFound
    return name


def _page(visit: Visit, made: str = "") -> Response:
    units = visit.operations.directory.units
    tokens = visit.people.tokens.of_kind(API)
    idle = {one.name for one in tokens if not visit.people.tokens.is_vouched_for(one)}
    return visit.page("admin/api_tokens.html", tokens=tokens, idle=idle, scopes=SCOPES, units=units, made=made)


def _days(visit: Visit) -> int:
    days = whole_number(visit.form.get("days", "").strip(), 1, _LONGEST_DAYS)
    if days is None:
        raise BadInput(key="tokens.bad_days")
    return days
