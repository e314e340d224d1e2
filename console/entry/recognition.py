"""Who tries to log in: a stranger, or somebody whose device or address is known from an earlier log-in."""

from __future__ import annotations

from contextlib import suppress

from console.errors import NotStored, TooMany
from console.http.messages import Cookie, Response
from console.people.accounts import Account
from console.people.devices import network_of
from console.people.lockout import Standing, Try
from console.visit import Visit


def try_of(visit: Visit, name: str) -> Try:
    """Return a try to prove that one is `name`; who is logged in as that is as well known as on a known device."""
    session, account = visit.session, visit.people.accounts.find(name)
    if account is None:
        return Try(name, visit.address)
    if session is not None and visit.account is not None and visit.account.name == account.name:
        return Try(account.name, visit.address, Standing.KNOWN_DEVICE, session.key)
    cookie = visit.cookies.get(visit.console.security.device_cookie, "")
    if device := visit.people.devices.recognise(cookie, account):
        return Try(account.name, visit.address, Standing.KNOWN_DEVICE, device)
    is_usual = network_of(visit.address) in account.usual_addresses
    return Try(account.name, visit.address, Standing.USUAL_ADDRESS if is_usual else Standing.STRANGER)


def wait_for_pause(visit: Visit, attempt: Try) -> None:
    """Raise TooMany while no such try is looked at."""
    pause_s = visit.people.failed_logins.pause_s(attempt)
    if pause_s:
        raise TooMany(key="login.paused", retry_after_s=pause_s)


async def remember(visit: Visit, account: Account, response: Response) -> Response:
    """Remember the address of somebody who logged in, and return the answer with what their browser is known by."""
    with suppress(NotStored):  # the operator has heard of it; it keeps nobody out
        await visit.people.accounts.note_address(account.name, network_of(visit.address))
    name = visit.console.security.device_cookie
    known_by = visit.people.devices.cookie(visit.cookies.get(name, ""), account)
    return response.with_cookie(Cookie(name, known_by, visit.people.devices.valid_s))
