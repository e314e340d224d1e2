"""Tokens of programs: an administrator makes them with their scopes, sees when they were used, and revokes them."""

from __future__ import annotations

import re

from console.errors import BadInput, Impossible, NotFound
from console.http.messages import Request, Response
from console.http.routes import route
from console.people.roles import Role
from console.people.tokens import API, SCOPES

_ADMIN = (Role.ADMIN,)
_NAME = re.compile(r"[\w.-]{1,40}")
_A_DAY_S, _LONGEST_DAYS = 86_400.0, 730


@route("/api-tokens", roles=_ADMIN, nav="nav.tokens", nav_order=75)
async def api_tokens(request: Request) -> Response:
    """List the tokens that are good, and ask for a new one."""
    return _page(request)


@route("/api-tokens", methods=("POST",), roles=_ADMIN)
async def make_api_token(request: Request) -> Response:
    """Make a token and show it, once."""
    name, scopes = request.form.get("name", "").strip(), request.lists.get("scopes", ())
    if not _NAME.fullmatch(name):
        raise BadInput(key="tokens.bad_name")
    if not scopes or set(scopes) - set(SCOPES):
        raise BadInput(key="tokens.bad_scopes")
    if any(one.name == name for one in request.parts.tokens.of_kind(API)):
        raise Impossible(key="tokens.name_taken")
    unit_id = request.form.get("unit_id", "")
    if unit_id and unit_id not in {unit.unit_id for unit in request.operations.directory.units}:
        raise BadInput(key="tokens.bad_unit")
    text = await request.parts.tokens.make(
        API, name, _days(request) * _A_DAY_S, scopes=tuple(one for one in SCOPES if one in scopes),
        made_by=request.actor, unit_id=unit_id,
    )  # fmt: skip
    request.note(about=name, result=f"{' '.join(sorted(scopes))} {unit_id}".strip())
    return _page(request, made=text)


@route("/api-tokens/<name>/revoke", methods=("POST",), roles=_ADMIN)
async def revoke_api_token(request: Request) -> Response:
    """Let a token be worth nothing from now on."""
    name = request.args["name"]
    if not any(one.name == name for one in request.parts.tokens.of_kind(API)):
        raise NotFound
    await request.parts.tokens.withdraw(API, name)
    return request.go("/api-tokens").saying(request.t("tokens.revoked", name=name))


def _page(request: Request, made: str = "") -> Response:
    units = request.operations.directory.units
    tokens = request.parts.tokens.of_kind(API)
    return request.page("admin/api_tokens.html", tokens=tokens, scopes=SCOPES, units=units, made=made)


def _days(request: Request) -> int:
    days = request.form.get("days", "").strip()
    if not (days.isascii() and days.isdecimal() and len(days) < 5 and 1 <= int(days) <= _LONGEST_DAYS):
        raise BadInput(key="tokens.bad_days")
    return int(days)
