"""Logging in and out: password first, then the second factor of those who have one."""

from __future__ import annotations

from console.entry.recognition import remember, try_of, wait_for_pause
from console.http.messages import Cookie, Response
from console.http.routes import route
from console.people.accounts import Account, normalised
from console.people.lockout import Standing
from console.people.roles import ALL_ROLES
from console.people.sessions import Session
from console.visit import Visit


@route("/login", is_public=True)
async def login_page(visit: Visit) -> Response:
    """Ask for name and password."""
    if visit.account is not None:
        return visit.go("/")
    return _login_page(visit, 200, "")


@route("/login", methods=("POST",), is_public=True)
async def login(visit: Visit) -> Response:
    """Check name and password; the same answer, after the same time, whatever was wrong."""
    name = normalised(visit.form.get("name", ""))[:100]
    attempt = try_of(visit, name)
    wait_for_pause(visit, attempt)
    visit.notes.name = name or "?"
    account = visit.people.accounts.find(name)
    may = account is not None and account.is_active
    password_hash = account.password_hash if account and may else ""
    is_stranger = attempt.standing is Standing.STRANGER
    fits = await visit.people.passwords.fits(password_hash, visit.form.get("password", ""), is_stranger=is_stranger)
    # tries that were checked at the same time count all the same
    wait_for_pause(visit, attempt)
    if account is None or not fits:
        visit.people.failed_logins.note_failure(attempt)
        visit.note(result="login failed")
        return _login_page(visit, 401, visit.t("login.failed"))
    if account.totp_secret:
        visit.note(result="password right, waits for code")
        session_id, _ = await visit.people.sessions.begin(account, waits_for_code=True)
        return _with_session(visit, visit.go(_code_page(visit)), session_id)
    return await _let_in(visit, account)


@route("/login/code", is_public=True)
async def code_page(visit: Visit) -> Response:
    """Ask for the second factor."""
    if visit.session is None or not visit.session.waits_for_code:
        return visit.go("/login")
    return visit.page("login/code.html", wrong="", next=_next(visit))


@route("/login/code", methods=("POST",), is_public=True)
async def code(visit: Visit) -> Response:
    """Check the second factor."""
    session = visit.session
    account = visit.people.accounts.find(session.name) if session and session.waits_for_code else None
    if session is None or account is None:
        return visit.go("/login")
    attempt = try_of(visit, account.name)
    wait_for_pause(visit, attempt)
    visit.notes.name = account.name
    if not await visit.people.second_factors.fits(account, visit.form.get("code", "")):
        visit.people.failed_logins.note_failure(attempt)
        visit.note(result="code wrong")
        return visit.page("login/code.html", 401, wrong=visit.t("login.code_wrong"), next=_next(visit))
    return await _let_in(visit, account, session)


@route("/logout", methods=("POST",), roles=ALL_ROLES)
async def logout(visit: Visit) -> Response:
    """End this session."""
    assert visit.session is not None
    key = visit.session.key
    await visit.people.sessions.end(visit.session)
    visit.console.events.drop(lambda viewer: viewer.session_key == key)
    gone = Cookie(visit.console.security.session_cookie)
    return visit.go("/login").with_cookie(gone)


async def _let_in(visit: Visit, account: Account, waiting: Session | None = None) -> Response:
    visit.people.failed_logins.note_success(try_of(visit, account.name))
    visit.note(result="logged in")
    session_id, _ = await visit.people.sessions.rotate(waiting or visit.session, account)
    return await remember(visit, account, _with_session(visit, visit.go(_next(visit) or "/"), session_id))


def _with_session(visit: Visit, response: Response, session_id: str) -> Response:
    return response.with_cookie(Cookie(visit.console.security.session_cookie, session_id))


def _login_page(visit: Visit, status: int, wrong: str) -> Response:
    return visit.page("login/login.html", status, wrong=wrong, next=_next(visit))


def _code_page(visit: Visit) -> str:
    return f"/login/code?next={_next(visit)}" if _next(visit) else "/login/code"


def _next(visit: Visit) -> str:
    """Return where to go afterwards: an address of ours, "" for anything else."""
    wished = visit.form.get("next", "") or visit.args.get("next", "")
    is_ours = wished.startswith("/") and not wished.startswith(("//", "/\\")) and wished.isprintable()
    is_plain = all(letter.isalnum() or letter in "/-_." for letter in wished)
    return wished if is_ours and is_plain and wished.isascii() else ""
