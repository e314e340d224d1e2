"""A console without sockets: visitors of each role ask the gate, which asks a fake of everything behind it.

    house = House()
    visitor = house.visitor(Role.UNIT, unit_id="tax")
    response = visitor.get("/inbox")
    visitor.post("/inbox/202603100001/acknowledge", {"why": "…"})
    assert house.operations.acts == [("orders.acknowledge", ("202603100001", "unit:tax:unit"))]
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from argon2 import PasswordHasher
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock as VirtualTime
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from callback_scheduler.ledger.verification import VerifyResult
from config.console import ConsoleSettings
from console.errors import ConsoleError, WrongMethod
from console.errors import NotFound as NoPage
from console.gate import Arrived, Gate
from console.http.messages import Response
from console.http.routes import TABLE, Handler, Route
from console.people.accounts import Account
from console.people.audit import Act
from console.people.passwords import Passwords
from console.people.roles import Role
from console.site import build_console
from console.visit import Console
from routing.clock import SHANGHAI, MovableClock
from tests.fakes.operations import FakeOperations

T = TypeVar("T")
HOST = "127.0.0.1:8080"
ORIGIN = f"http://{HOST}"
PASSWORD = "correct horse battery"
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=SHANGHAI)


async def at_once(work: Callable[[], T]) -> T:
    """Do in this thread what the console does in another."""
    return work()


def finished(coroutine: Awaitable[Any]) -> Any:
    """Return what a coroutine comes to without waiting for anything; AssertionError if it waits."""
    ended: list[Any] = []
    failed: list[Any] = []
    ensureDeferred(coroutine).addCallbacks(ended.append, failed.append)  # type: ignore[arg-type]
    if failed:
        failed[0].raiseException()
    assert ended, "it waits for something that no fake gives"
    return ended[0]


class FakeShelf:
    """Redis without Redis; nothing expires by itself."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def put(self, key: str, text: str, ttl_s: float) -> None:
        self.kept[key] = text

    async def replace(self, key: str, text: str, ttl_s: float) -> None:
        if key in self.kept:
            self.kept[key] = text

    async def get(self, key: str) -> str | None:
        return self.kept.get(key)

    async def drop(self, *keys: str) -> None:
        for key in keys:
            self.kept.pop(key, None)


class FakeAudit:
    """An audit log in memory; `fails_with` is raised instead of writing."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.fails_with: Exception | None = None
        self.found = VerifyResult(0, 1, "", "", None)

    async def verified(self) -> VerifyResult:
        return self.found

    async def write(
        self, who: str, role: str, address: str, what: str, *, about: str = "", why: str = "", result: str = ""
    ) -> None:
        if self.fails_with:
            raise self.fails_with
        self.acts.append(Act(NOON, who, role, address, what, about, why, result))

    async def last(self, limit: int = 200, who: str = "", what: str = "") -> list[Act]:
        return self.acts[::-1][:limit]


class House:
    """A console with fakes all around; `time` is the reactor's clock, `clock` the security's; both move together."""

    def __init__(self, **settings: Any) -> None:
        self.time = VirtualTime()
        self.clock = MovableClock(NOON, monotonic=self.time.seconds)
        self.operations = FakeOperations()
        self.shelf = FakeShelf()
        self.audit = FakeAudit()
        self.folder = Path(tempfile.mkdtemp(prefix="console-"))
        _standing.append(self.folder)
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        site = self.operations.settings.model_copy(update={"console": ConsoleSettings(enabled=True, **settings)})
        console = build_console(
            self.operations, self.shelf, site, self.time, data_dir=self.folder, clock=self.clock, on_disk=at_once,
            with_passwords=Passwords(at_once, hasher), in_thread=at_once,
        )  # fmt: skip
        self.console: Console = replace(console, audit=self.audit)  # type: ignore[arg-type]
        self.people = console.people
        self.stand_in: Handler | None = None  # asked instead of every handler, to try the gate alone
        self.gate = Gate(self.console, site.console, self.clock, self.time)

    def account(self, role: Role, name: str = "", unit_id: str = "", number: str = "") -> Account:
        """Return an account of a role, with PASSWORD; made if there is none."""
        name = name or role.value
        known = self.people.accounts.find(name)
        if known is not None:
            return known
        unit_id = unit_id or ("tax" if role is Role.UNIT else "")
        password_hash = finished(self.people.passwords.hash(PASSWORD, "?"))
        new = Account(name, role, unit_id=unit_id, number=number, password_hash=password_hash)
        made: Account = finished(self.people.accounts.add(new))
        return made

    def visitor(self, role: Role | None = None, name: str = "", unit_id: str = "", number: str = "") -> Visitor:
        """Return somebody logged in (without a role: nobody), as if just come from the log-in page."""
        visitor = Visitor(self)
        if role is not None:
            account = self.account(role, name, unit_id, number)
            session_id, session = finished(self.people.sessions.begin(account))
            visitor.cookies[self.console.security.session_cookie] = session_id
            visitor.csrf = session.csrf
        return visitor


_standing: list[Path] = []  # the folders of houses that are not torn down


@contextmanager
def torn_down() -> Iterator[None]:
    """Remove in the end what belongs to the houses that are built meanwhile."""
    before = len(_standing)
    try:
        yield
    finally:
        for folder in _standing[before:]:
            shutil.rmtree(folder)
        del _standing[before:]


@cache
def _map(table: tuple[Route, ...]) -> Map:
    return Map([
        Rule(route.path, methods=route.methods, endpoint=str(number), strict_slashes=False)
        for number, route in enumerate(table)
    ])


def route_of(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Return the route of an address, and the variable parts; werkzeug's NotFound or MethodNotAllowed otherwise."""
    endpoint, args = _map(tuple(TABLE)).bind(HOST).match(path, method)
    return TABLE[int(endpoint)], {name: str(value) for name, value in args.items()}


@dataclass
class Visitor:
    """A browser: keeps its cookies, sends the token of its session, follows nothing by itself."""

    house: House
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""
    address: str = "127.0.0.1"
    language: str = ""

    def get(self, path: str, **headers: str) -> Response:
        """Ask for a page."""
        return self.send("GET", path, headers=headers)

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Response:
        """Send a form of one of our pages, with its token."""
        fields = {"csrf": self.csrf or self.cookies.get(self.house.console.security.form_cookie, "")} | (form or {})
        sent = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"} | headers
        return self.send("POST", path, urlencode(fields).encode(), sent)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Response:
        """Send any request at all, and keep the cookies of its answer."""
        path, _, query = path.partition("?")
        arrived = Arrived(
            method=method, path=path, query=query, cookies=dict(self.cookies), body=io.BytesIO(body),
            headers={"host": HOST, "content-length": str(len(body))} | (headers or {}), address=self.address,
        )  # fmt: skip
        try:
            route, args = route_of(method, path)
        except NotFound:
            return self._refused(arrived, NoPage())
        except MethodNotAllowed:
            return self._refused(arrived, WrongMethod())
        if self.house.stand_in:
            route = replace(route, handler=self.house.stand_in)
        response: Response = finished(self.house.gate.answer(arrived, route, args))
        self._keep_cookies(response)
        return response

    def _refused(self, arrived: Arrived, wrong: ConsoleError) -> Response:
        refused: Response = finished(self.house.gate.refuse(arrived, wrong))
        return refused

    def _keep_cookies(self, response: Response) -> None:
        for cookie in response.cookies:
            if cookie.value:
                self.cookies[cookie.name] = cookie.value
            else:
                self.cookies.pop(cookie.name, None)
        session_id = self.cookies.get(self.house.console.security.session_cookie, "")
        found = finished(self.house.people.sessions.find(session_id))
        self.csrf = found[0].csrf if found else ""


def text(response: Response) -> str:
    """Return the body as text."""
    return response.body.decode()


def header(response: Response, name: str) -> str:
    """Return a header, "" if it is not there."""
    return next((value for key, value in response.headers if key.lower() == name.lower()), "")
