"""Accounts: an administrator makes them, gives out one-time tokens, and takes rights away."""

from __future__ import annotations

from typing import Any

from console.errors import BadInput, NotFound
from console.http.messages import Request, Response
from console.http.routes import route
from console.people.accounts import Account
from console.people.roles import Role
from console.people.tokens import INVITATION

_INVITATION_S = 3 * 86_400.0
_ADMIN = (Role.ADMIN,)


@route("/accounts", roles=_ADMIN, nav="nav.accounts", nav_order=70)
async def accounts(request: Request) -> Response:
    """List all accounts, and what is locked."""
    locked = request.parts.failed_logins.locked()
    units = {unit.unit_id: unit.name for unit in request.operations.directory.units}
    accounts = request.parts.accounts.all()
    return request.page("admin/accounts.html", accounts=accounts, locked=locked, units=units)


@route("/new-account", roles=_ADMIN)
async def new_account(request: Request) -> Response:
    """Ask for a new account."""
    return _form(request, None)


@route("/new-account", methods=("POST",), roles=_ADMIN)
async def add_account(request: Request) -> Response:
    """Make an account and show its one-time token."""
    account = await request.parts.accounts.add(Account(name=request.needed("name"), **_fields(request)))
    request.note(about=account.name)
    return await _invited(request, account)


@route("/accounts/<name>", roles=_ADMIN)
async def account_page(request: Request) -> Response:
    """Show one account."""
    return _form(request, _named(request))


@route("/accounts/<name>", methods=("POST",), roles=_ADMIN)
async def change_account(request: Request) -> Response:
    """Change role, unit, number or name; the sessions of the account are over if what it may do has changed."""
    before = _named(request)
    fields = _fields(request)
    is_privilege = any(fields[name] != getattr(before, name) for name in ("role", "unit_id", "is_active"))
    generation = before.generation + is_privilege
    await request.parts.accounts.change(before.name, generation=generation, **fields)
    if is_privilege:
        request.parts.events.drop(lambda viewer: viewer.name == before.name)
    return request.go("/accounts").saying(request.t("accounts.changed", name=before.name))


@route("/accounts/<name>/token", methods=("POST",), roles=_ADMIN)
async def invite_again(request: Request) -> Response:
    """Show a new one-time token: for who lost the password, or the second factor."""
    account = _named(request)
    if "drops_second_factor" in request.form:
        await request.parts.accounts.change(account.name, totp_secret="", generation=account.generation + 1)
        request.note(result="second factor dropped")
    return await _invited(request, account)


@route("/accounts/<name>/end-sessions", methods=("POST",), roles=_ADMIN)
async def end_sessions(request: Request) -> Response:
    """Log somebody out everywhere."""
    account = _named(request)
    await request.parts.accounts.end_sessions(account.name)
    request.parts.events.drop(lambda viewer: viewer.name == account.name)
    return request.go("/accounts").saying(request.t("accounts.sessions_ended", name=account.name))


async def _invited(request: Request, account: Account) -> Response:
    token = await request.parts.tokens.make(INVITATION, account.name, _INVITATION_S, made_by=request.actor)
    address = f"{request.parts.security.own_url(request.headers)}/welcome?token={token}"
    return request.page("admin/invitation.html", named=account, token=token, address=address)


def _named(request: Request) -> Account:
    account = request.parts.accounts.find(request.args["name"])
    if account is None:
        raise NotFound
    return account


def _form(request: Request, named: Account | None) -> Response:
    units = request.operations.directory.units
    return request.page("admin/account.html", named=named, roles=list(Role), units=units)


def _fields(request: Request) -> dict[str, Any]:
    try:
        role = Role(request.form.get("role", ""))
    except ValueError as wrong:
        raise BadInput(key="accounts.role_missing") from wrong
    unit_id = request.form.get("unit_id", "") if role is Role.UNIT else ""
    if role is Role.UNIT and unit_id not in {unit.unit_id for unit in request.operations.directory.units}:
        raise BadInput(key="accounts.unit_missing")
    number = request.form.get("number", "").strip()
    if number and not (number.removeprefix("+").isdecimal() or number.startswith("sip:")):
        raise BadInput(key="accounts.bad_number")
    shown = request.form.get("display_name", "").strip()[:40]
    is_active = request.form.get("is_active", "yes") == "yes"
    return {"role": role, "unit_id": unit_id, "number": number, "display_name": shown, "is_active": is_active}
