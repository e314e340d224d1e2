"""My account: password, second factor, language, and an end to all my sessions."""

from __future__ import annotations

import io

import pyotp
import qrcode
from qrcode.image.svg import SvgPathImage

from console.entry.login import fits_code
from console.errors import BadInput, NotFound, TooMany
from console.http.messages import Cookie, Request, Response
from console.http.routes import route
from console.people.accounts import Account
from console.people.roles import ALL_ROLES
from console.people.sessions import Session
from console.rendering.texts import LANGUAGES

_SECRET_S = 600.0


@route("/me", roles=ALL_ROLES)
async def me(request: Request) -> Response:
    """Show what one may change about oneself."""
    return request.page("me/me.html", languages=LANGUAGES)


@route("/me/language", methods=("POST",), roles=ALL_ROLES)
async def language(request: Request) -> Response:
    """Choose the language pages are shown in, on every machine."""
    wished = request.needed("language")
    if wished not in LANGUAGES or request.account is None:
        raise BadInput
    await request.parts.accounts.change(request.account.name, language=wished)
    return request.go("/me").with_cookie(Cookie(request.parts.security.language_cookie))


@route("/me/password", methods=("POST",), roles=ALL_ROLES)
async def password(request: Request) -> Response:
    """Change the password; every other session is over."""
    account = await _proved(request)
    new = request.form.get("new_password", "")
    if new != request.form.get("password_again", ""):
        raise BadInput(key="login.passwords_differ")
    password_hash = await request.parts.passwords.hash(new, account.name)
    return await _changed(request, "me.password_changed", password_hash=password_hash)


@route("/me/end-sessions", methods=("POST",), roles=ALL_ROLES)
async def end_sessions(request: Request) -> Response:
    """Log out everywhere, here too."""
    assert request.account is not None
    await request.parts.accounts.end_sessions(request.account.name)
    _drop_streams(request)
    return request.go("/login").with_cookie(Cookie(request.parts.security.session_cookie))


@route("/me/second-factor", roles=ALL_ROLES)
async def second_factor(request: Request) -> Response:
    """Show a new secret, as a picture and in letters, to be proved before it counts."""
    secret = pyotp.random_base32()
    await request.parts.sessions.set_aside(_session(request), secret, _SECRET_S)
    return request.page("me/second_factor.html", secret=secret)


@route("/me/second-factor.svg", roles=ALL_ROLES)
async def second_factor_picture(request: Request) -> Response:
    """Give the picture of the secret that is waiting."""
    assert request.account is not None
    secret = await request.parts.sessions.set_aside_text(_session(request))
    if not secret:
        raise NotFound
    uri = pyotp.TOTP(secret).provisioning_uri(name=request.account.name, issuer_name=request.t("base.product"))
    written = io.BytesIO()
    qrcode.make(uri, image_factory=SvgPathImage, border=2).save(written)
    return Response(body=written.getvalue(), content_type="image/svg+xml")


@route("/me/second-factor", methods=("POST",), roles=ALL_ROLES)
async def use_second_factor(request: Request) -> Response:
    """Let the new secret count, once a code of it was given."""
    secret = await request.parts.sessions.set_aside_text(_session(request))
    account = await _proved(request)
    if not secret:
        raise BadInput(key="me.secret_too_old")
    if not fits_code(request, account, request.form.get("code", ""), secret):
        raise BadInput(key="login.code_wrong")
    return await _changed(request, "me.second_factor_on", totp_secret=secret)


@route("/me/second-factor/off", methods=("POST",), roles=ALL_ROLES)
async def drop_second_factor(request: Request) -> Response:
    """Do without a second factor from now on."""
    await _proved(request)
    return await _changed(request, "me.second_factor_off", totp_secret="")


def _session(request: Request) -> Session:
    assert request.session is not None
    return request.session


async def _proved(request: Request) -> Account:
    """Return the account once its present password was given: an open browser alone changes no password."""
    assert request.account is not None
    account, failed = request.account, request.parts.failed_logins
    pause_s = failed.pause_s(account.name, request.address)
    if pause_s:
        raise TooMany(key="login.paused", retry_after_s=pause_s)
    if not await request.parts.passwords.fits(account.password_hash, request.form.get("password", "")):
        failed.note_failure(account.name, request.address)
        raise BadInput(key="me.password_wrong")
    return account


async def _changed(request: Request, flash: str, **changes: str) -> Response:
    """Change the account, end its sessions, and go on in a new one."""
    assert request.account is not None
    account = request.account
    changed = await request.parts.accounts.change(account.name, generation=account.generation + 1, **changes)
    _drop_streams(request)
    session_id, session = await request.parts.sessions.rotate(request.session, changed)
    await request.parts.sessions.flash(session, request.t(flash))
    return request.go("/me").with_cookie(Cookie(request.parts.security.session_cookie, session_id))


def _drop_streams(request: Request) -> None:
    name = request.account.name if request.account else ""
    request.parts.events.drop(lambda viewer: viewer.name == name)
