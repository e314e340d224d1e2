"""The welcome: somebody with a one-time token sets a password; the first of all becomes administrator."""

from __future__ import annotations

from dataclasses import replace

from console.errors import BadInput, ConsoleError, NotAllowed, TooMany
from console.http.messages import Cookie, Request, Response
from console.http.routes import route
from console.people.accounts import Account, checked_name
from console.people.roles import Role
from console.people.tokens import FIRST_ADMINISTRATOR, INVITATION, Token

# wrong tokens count as failed log-ins of this name, which no account can have
_TRIES = "one-time token"


@route("/welcome", is_public=True)
async def welcome_page(request: Request) -> Response:
    """Ask for the token, or, if the address has it, for a password."""
    text = request.args.get("token", "")
    if not text:
        return request.page("login/token.html", wrong="")
    token = _found(request, text)
    if token is None:
        return request.page("login/token.html", 403, wrong=request.t("login.token_wrong"))
    return _password_page(request, token, text, 200, "")


@route("/welcome", methods=("POST",), is_public=True)
async def welcome(request: Request) -> Response:
    """Set the password, use the token up, and log in."""
    text = request.needed("token")
    token = _found(request, text)
    if token is None:
        return request.page("login/token.html", 403, wrong=request.t("login.token_wrong"))
    try:
        account = await _account(request, token)
    except (BadInput, ConsoleError) as wrong:
        return _password_page(request, token, text, wrong.status, wrong.text or request.t(wrong.key))
    request.notes.who = account.name
    request.note(result="password set")
    session_id, _ = await request.parts.sessions.rotate(request.session, account)
    return request.go("/").with_cookie(Cookie(request.parts.security.session_cookie, session_id))


def _found(request: Request, text: str) -> Token | None:
    failed = request.parts.failed_logins
    pause_s = failed.pause_s("", request.address)
    if pause_s:
        raise TooMany(key="login.paused", retry_after_s=pause_s)
    token = request.parts.tokens.find(text, FIRST_ADMINISTRATOR, INVITATION)
    if token is None:
        failed.note_failure(_TRIES, request.address)
    return token


async def _account(request: Request, token: Token) -> Account:
    """Return the account with its new password; the token is used up."""
    parts, password = request.parts, request.form.get("password", "")
    if password != request.form.get("password_again", ""):
        raise BadInput(key="login.passwords_differ")
    is_first = token.kind == FIRST_ADMINISTRATOR
    name = checked_name(request.form.get("name", "")) if is_first else token.name
    known = parts.accounts.find(name)
    if is_first and (parts.accounts.has_administrator or known is not None):
        raise NotAllowed(key="login.token_wrong" if parts.accounts.has_administrator else "accounts.name_taken")
    if not is_first and (known is None or not known.is_active):
        raise NotAllowed(key="login.token_wrong")
    password_hash = await parts.passwords.hash(password, name)
    if not await parts.tokens.use_up(token):
        raise NotAllowed(key="login.token_wrong")
    if known is None:
        new = Account(name, Role.ADMIN, display_name=name, language=request.language)
        return await parts.accounts.add(replace(new, password_hash=password_hash))
    return await parts.accounts.change(name, password_hash=password_hash, generation=known.generation + 1)


def _password_page(request: Request, token: Token, text: str, status: int, wrong: str) -> Response:
    is_first = token.kind == FIRST_ADMINISTRATOR
    name = request.form.get("name", "") if is_first else token.name
    return request.page("login/welcome.html", status, token=text, is_first=is_first, name=name, wrong=wrong)
