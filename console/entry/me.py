"""My account: password, second factor, language, and an end to all my sessions."""

from __future__ import annotations

import io

import pyotp
import qrcode
from qrcode.image.svg import SvgPathImage

from console.entry.recognition import remember, try_of, wait_for_pause
from console.errors import BadInput, NotFound
from console.http.messages import Cookie, Response
from console.http.routes import route
from console.people.accounts import Account
from console.people.roles import ALL_ROLES
from console.people.sessions import Session
from console.rendering.texts import LANGUAGES
from console.visit import Visit

_SECRET_S = 600.0


@route("/me", roles=ALL_ROLES)
async def me(visit: Visit) -> Response:
    """Show what one may change about oneself."""
    return visit.page("me/me.html", languages=LANGUAGES)


@route("/me/language", methods=("POST",), roles=ALL_ROLES)
async def language(visit: Visit) -> Response:
    """Choose the language pages are shown in, on every machine."""
    wished = visit.needed("language")
    if wished not in LANGUAGES or visit.account is None:
        raise BadInput
    await visit.people.accounts.change(visit.account.name, language=wished)
    return visit.go("/me").with_cookie(Cookie(visit.console.security.language_cookie))


@route("/me/password", methods=("POST",), roles=ALL_ROLES)
async def password(visit: Visit) -> Response:
    """Change the password; every other session is over."""
    account = await _proved(visit)
    new = visit.form.get("new_password", "")
    if new != visit.form.get("password_again", ""):
        raise BadInput(key="login.passwords_differ")
    password_hash = await visit.people.passwords.hash(new, account.name)
    return await _changed(visit, "me.password_changed", password_hash=password_hash)


@route("/me/end-sessions", methods=("POST",), roles=ALL_ROLES)
async def end_sessions(visit: Visit) -> Response:
    """Log out everywhere, here too."""
    assert visit.account is not None
    await visit.people.accounts.end_sessions(visit.account.name)
    return visit.go("/login").with_cookie(Cookie(visit.console.security.session_cookie))


@route("/me/second-factor", roles=ALL_ROLES)
async def second_factor(visit: Visit) -> Response:
    """Show a new secret, as a picture and in letters, to be proved before it counts."""
    secret = pyotp.random_base32()
    await visit.people.sessions.set_aside(_session(visit), secret, _SECRET_S)
    return visit.page("me/second_factor.html", secret=secret)


@route("/me/second-factor.svg", roles=ALL_ROLES)
async def second_factor_picture(visit: Visit) -> Response:
    """Give the picture of the secret that is waiting."""
    assert visit.account is not None
    secret = await visit.people.sessions.set_aside_text(_session(visit))
    if not secret:
        raise NotFound
    uri = pyotp.TOTP(secret).provisioning_uri(name=visit.account.name, issuer_name=visit.t("base.product"))
    written = io.BytesIO()
    qrcode.make(uri, image_factory=SvgPathImage, border=2).save(written)
    return Response(body=written.getvalue(), content_type="image/svg+xml")


@route("/me/second-factor", methods=("POST",), roles=ALL_ROLES)
async def use_second_factor(visit: Visit) -> Response:
    """Let the new secret count, once a code of it was given."""
    secret = await visit.people.sessions.set_aside_text(_session(visit))
    account = await _proved(visit)
    if not secret:
        raise BadInput(key="me.secret_too_old")
    if not await visit.people.second_factors.fits(account, visit.form.get("code", ""), secret):
        raise BadInput(key="login.code_wrong")
    return await _changed(visit, "me.second_factor_on", totp_secret=secret)


@route("/me/second-factor/off", methods=("POST",), roles=ALL_ROLES)
async def drop_second_factor(visit: Visit) -> Response:
    """Do without a second factor from now on."""
    await _proved(visit)
    return await _changed(visit, "me.second_factor_off", totp_secret="")


def _session(visit: Visit) -> Session:
    assert visit.session is not None
    return visit.session


async def _proved(visit: Visit) -> Account:
    """Return the account once its present password was given: an open browser alone changes no password."""
    assert visit.account is not None
    account, attempt = visit.account, try_of(visit, visit.account.name)
    wait_for_pause(visit, attempt)
    if not await visit.people.passwords.fits(account.password_hash, visit.form.get("password", "")):
        visit.people.failed_logins.note_failure(attempt)
        raise BadInput(key="me.password_wrong")
    return account


async def _changed(visit: Visit, flash: str, **changes: str) -> Response:
    """Change the account, end its sessions, and go on in a new one."""
    assert visit.account is not None
    changed = await visit.people.accounts.change(visit.account.name, as_of=visit.account, **changes)
    session_id, session = await visit.people.sessions.rotate(visit.session, changed)
    await visit.people.sessions.flash(session, visit.t(flash))
    answer = visit.go("/me").with_cookie(Cookie(visit.console.security.session_cookie, session_id))
    return await remember(visit, changed, answer)
