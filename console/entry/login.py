"""Logging in and out: password first, then the second factor of those who have one."""

from __future__ import annotations

import pyotp

from console.errors import TooMany
from console.http.messages import Cookie, Request, Response
from console.http.routes import route
from console.people.accounts import Account, normalised
from console.people.roles import ALL_ROLES
from console.people.sessions import Session


@route("/login", is_public=True)
async def login_page(request: Request) -> Response:
    """Ask for name and password."""
    if request.account is not None:
        return request.go("/")
    return _login_page(request, 200, "")


@route("/login", methods=("POST",), is_public=True)
async def login(request: Request) -> Response:
    """Check name and password; the same answer, after the same time, whatever was wrong."""
    name = normalised(request.form.get("name", ""))[:100]
    _wait_for_pause(request, name)
    request.notes.who = name or "?"
    account = request.parts.accounts.find(name)
    may = account is not None and account.is_active
    password_hash = account.password_hash if account and may else ""
    fits = await request.parts.passwords.fits(password_hash, request.form.get("password", ""))
    # tries that were checked at the same time count all the same
    _wait_for_pause(request, name)
    if account is None or not fits:
        request.parts.failed_logins.note_failure(name, request.address)
        request.note(result="login failed")
        return _login_page(request, 401, request.t("login.failed"))
    if account.totp_secret:
        request.note(result="password right, waits for code")
        session_id, _ = await request.parts.sessions.begin(account, waits_for_code=True)
        return _with_session(request, request.go(_code_page(request)), session_id)
    return await _let_in(request, account)


@route("/login/code", is_public=True)
async def code_page(request: Request) -> Response:
    """Ask for the second factor."""
    if request.session is None or not request.session.waits_for_code:
        return request.go("/login")
    return request.page("login/code.html", wrong="", next=_next(request))


@route("/login/code", methods=("POST",), is_public=True)
async def code(request: Request) -> Response:
    """Check the second factor."""
    session = request.session
    account = request.parts.accounts.find(session.name) if session and session.waits_for_code else None
    if session is None or account is None:
        return request.go("/login")
    _wait_for_pause(request, account.name)
    request.notes.who = account.name
    if not fits_code(request, account, request.form.get("code", "")):
        request.parts.failed_logins.note_failure(account.name, request.address)
        request.note(result="code wrong")
        return request.page("login/code.html", 401, wrong=request.t("login.code_wrong"), next=_next(request))
    return await _let_in(request, account, session)


@route("/logout", methods=("POST",), roles=ALL_ROLES)
async def logout(request: Request) -> Response:
    """End this session."""
    assert request.session is not None
    key = request.session.key
    await request.parts.sessions.end(request.session)
    request.parts.events.drop(lambda viewer: viewer.session_key == key)
    gone = Cookie(request.parts.security.session_cookie)
    return request.go("/login").with_cookie(gone)


def fits_code(request: Request, account: Account, given: str, secret: str = "") -> bool:
    """Whether a code of the account's secret (or another) is right now, and was not used before (RFC 6238 5.2)."""
    given = "".join(given.split())
    totp = pyotp.TOTP(secret or account.totp_secret)
    now = request.parts.clock.now()
    step_s = totp.interval
    for drift in (0, -1, 1):
        step = int(now.timestamp()) // step_s + drift
        is_right = given.isascii() and pyotp.utils.strings_equal(given, totp.generate_otp(step))
        if is_right and request.parts.used_codes.get(account.name, 0) < step:
            request.parts.used_codes[account.name] = step
            return True
    return False


async def _let_in(request: Request, account: Account, waiting: Session | None = None) -> Response:
    request.parts.failed_logins.note_success(account.name)
    request.note(result="logged in")
    session_id, _ = await request.parts.sessions.rotate(waiting or request.session, account)
    return _with_session(request, request.go(_next(request) or "/"), session_id)


def _with_session(request: Request, response: Response, session_id: str) -> Response:
    return response.with_cookie(Cookie(request.parts.security.session_cookie, session_id))


def _login_page(request: Request, status: int, wrong: str) -> Response:
    return request.page("login/login.html", status, wrong=wrong, next=_next(request))


def _code_page(request: Request) -> str:
    return f"/login/code?next={_next(request)}" if _next(request) else "/login/code"


def _next(request: Request) -> str:
    """Return where to go afterwards: an address of ours, "" for anything else."""
    wished = request.form.get("next", "") or request.args.get("next", "")
    is_ours = wished.startswith("/") and not wished.startswith(("//", "/\\")) and wished.isprintable()
    is_plain = all(letter.isalnum() or letter in "/-_." for letter in wished)
    return wished if is_ours and is_plain and wished.isascii() else ""


def _wait_for_pause(request: Request, name: str) -> None:
    pause_s = request.parts.failed_logins.pause_s(name, request.address)
    if pause_s:
        raise TooMany(key="login.paused", retry_after_s=pause_s)
