"""Accounts: an administrator makes them, gives out one-time tokens, and takes rights away."""

from __future__ import annotations

from typing import Any

from console.errors import BadInput, NotFound
from console.http.messages import Response
from console.http.routes import route
from console.people.accounts import Account
from console.people.roles import Role
from console.people.tokens import INVITATION
from console.visit import Visit
from routing.dial_rules import dial_rules

_INVITATION_S = 3 * 86_400.0
_ADMIN = (Role.ADMIN,)


@route("/accounts", roles=_ADMIN, nav="nav.accounts", nav_order=70)
async def accounts(visit: Visit) -> Response:
    """List all accounts, and what is locked."""
    locked = visit.people.failed_logins.locked()
    units = {unit.unit_id: unit.name for unit in visit.operations.directory.units}
    accounts = visit.people.accounts.all()
    return visit.page("admin/accounts.html", accounts=accounts, locked=locked, units=units)


@route("/new-account", roles=_ADMIN)
async def new_account(visit: Visit) -> Response:
    """Ask for a new account."""
    return _form(visit, None)


@route("/new-account", methods=("POST",), roles=_ADMIN)
async def add_account(visit: Visit) -> Response:
    """Make an account and show its one-time token."""
    account = await visit.people.accounts.add(Account(name=visit.needed("name"), **_fields(visit)))
    visit.note(about=account.name)
    return await _invited(visit, account)


@route("/accounts/<name>", roles=_ADMIN)
async def account_page(visit: Visit) -> Response:
    """Show one account."""
    return _form(visit, _named(visit))


@route("/accounts/<name>", methods=("POST",), roles=_ADMIN)
async def change_account(visit: Visit) -> Response:
    """Change role, unit, number or name; the sessions of the account are over if what it may do has changed."""
    before = _named(visit)
    changed = await visit.people.accounts.change(before.name, **_fields(visit))
    if not changed.is_active:
        await visit.people.tokens.withdraw(INVITATION, before.name)
    return visit.go("/accounts").saying(visit.t("accounts.changed", name=before.name))


@route("/accounts/<name>/token", methods=("POST",), roles=_ADMIN)
async def invite_again(visit: Visit) -> Response:
    """Show a new one-time token: for who lost the password, or the second factor; the old password ends at once."""
    account = _named(visit)
    changes: dict[str, Any] = {"password_hash": "", "usual_addresses": ()}
    if "drops_second_factor" in visit.form:
        changes["totp_secret"] = ""
    await visit.people.accounts.change(account.name, **changes)
    visit.note(result="password dropped, second factor too" if "totp_secret" in changes else "password dropped")
    return await _invited(visit, account)


@route("/accounts/<name>/end-sessions", methods=("POST",), roles=_ADMIN)
async def end_sessions(visit: Visit) -> Response:
    """Log somebody out everywhere."""
    account = _named(visit)
    await visit.people.accounts.end_sessions(account.name)
    return visit.go("/accounts").saying(visit.t("accounts.sessions_ended", name=account.name))


async def _invited(visit: Visit, account: Account) -> Response:
    token = await visit.people.tokens.make(INVITATION, account.name, _INVITATION_S, made_by=str(visit.actor))
    address = f"{visit.console.security.own_url(visit.headers)}/welcome?token={token}"
    return visit.page("admin/invitation.html", named=account, token=token, address=address)


def _named(visit: Visit) -> Account:
    account = visit.people.accounts.find(visit.args["name"])
    if account is None:
        raise NotFound
    return account


def _form(visit: Visit, named: Account | None) -> Response:
    units = visit.operations.directory.units
    return visit.page("admin/account.html", named=named, roles=list(Role), units=units)


def _fields(visit: Visit) -> dict[str, Any]:
    try:
        role = Role(visit.form.get("role", ""))
    except ValueError as wrong:
        raise BadInput(key="accounts.role_missing") from wrong
    unit_id = visit.form.get("unit_id", "") if role is Role.UNIT else ""
    if role is Role.UNIT and unit_id not in {unit.unit_id for unit in visit.operations.directory.units}:
        raise BadInput(key="accounts.unit_missing")
    written = visit.form.get("number", "").strip()
    number = dial_rules(visit.operations.settings).house(written) if written else ""
    if number is None:
        raise BadInput(key="accounts.bad_number")
    shown = visit.form.get("display_name", "").strip()[:40]
    is_active = visit.form.get("is_active", "yes") == "yes"
    return {"role": role, "unit_id": unit_id, "number": number, "display_name": shown, "is_active": is_active}
