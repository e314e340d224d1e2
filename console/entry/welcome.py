"""The welcome: somebody with a one-time token sets a password; the first of all becomes administrator."""

from __future__ import annotations

from dataclasses import replace

from console.entry.recognition import remember, wait_for_pause
from console.errors import BadInput, ConsoleError, NotAllowed
from console.http.messages import Cookie, Response
from console.http.routes import route
from console.people.accounts import Account, checked_name
from console.people.lockout import Try
from console.people.roles import Role
from console.people.tokens import FIRST_ADMINISTRATOR, INVITATION, Token
from console.visit import Visit


@route("/welcome", is_public=True)
async def welcome_page(visit: Visit) -> Response:
    """Ask for the token, or, if the address has it, for a password."""
    text = visit.args.get("token", "")
    if not text:
        return visit.page("login/token.html", wrong="")
    token = _token(visit, text)
    if token is None:
        return visit.page("login/token.html", 403, wrong=visit.t("login.token_wrong"))
    return _password_page(visit, token, text, 200, "")


@route("/welcome", methods=("POST",), is_public=True)
async def welcome(visit: Visit) -> Response:
    """Set the password, use the token up, and log in."""
    text = visit.needed("token")
    token = _token(visit, text)
    if token is None:
        return visit.page("login/token.html", 403, wrong=visit.t("login.token_wrong"))
    try:
        account = await _account(visit, token)
    except (BadInput, ConsoleError) as wrong:
        return _password_page(visit, token, text, wrong.status, wrong.text or visit.t(wrong.key))
    visit.notes.name = account.name
    visit.note(result="password set")
    # whoever has the address alone does not have the second factor
    waits_for_code = bool(account.totp_secret)
    session_id, _ = await visit.people.sessions.rotate(visit.session, account, waits_for_code)
    answer = visit.go("/login/code" if waits_for_code else "/")
    answer = answer.with_cookie(Cookie(visit.console.security.session_cookie, session_id))
    return answer if waits_for_code else await remember(visit, account, answer)


def _token(visit: Visit, text: str) -> Token | None:
    attempt = Try("", visit.address)
    wait_for_pause(visit, attempt)
    token = visit.people.tokens.find(text, FIRST_ADMINISTRATOR, INVITATION)
    if token is None:
        visit.people.failed_logins.note_failure(attempt)
    return token


async def _account(visit: Visit, token: Token) -> Account:
    """Return the account with its new password; the token is used up."""
    people, password = visit.people, visit.form.get("password", "")
    if password != visit.form.get("password_again", ""):
        raise BadInput(key="login.passwords_differ")
    is_first = token.kind == FIRST_ADMINISTRATOR
    name = checked_name(visit.form.get("name", "")) if is_first else token.name
    account = people.accounts.find(name)
    if is_first and (people.accounts.has_administrator or account is not None):
        raise NotAllowed(key="login.token_wrong" if people.accounts.has_administrator else "accounts.name_taken")
    if not is_first and (account is None or not account.is_active):
        raise NotAllowed(key="login.token_wrong")
    password_hash = await people.passwords.hash(password, name)
    if not await people.tokens.use_up(token):
        raise NotAllowed(key="login.token_wrong")
    if account is None:
        new = Account(name, Role.ADMIN, display_name=name, language=visit.language)
        return await people.accounts.add(replace(new, password_hash=password_hash))
    return await people.accounts.change(name, as_of=account, password_hash=password_hash)


def _password_page(visit: Visit, token: Token, text: str, status: int, wrong: str) -> Response:
    is_first = token.kind == FIRST_ADMINISTRATOR
    name = visit.form.get("name", "") if is_first else token.name
    return visit.page("login/welcome.html", status, token=text, is_first=is_first, name=name, wrong=wrong)
