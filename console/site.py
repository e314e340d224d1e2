"""The console as a whole: its parts built, its socket opened and closed."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog
from twisted.internet import endpoints
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from twisted.web.resource import IResource

from callback_scheduler.journal.keys import KeyName
from config.settings import Settings
from console.admin import accounts, api_tokens, audit_log
from console.admin import calendar as admin_calendar
from console.admin import directory as admin_directory
from console.admin import hours as admin_hours
from console.admin import hours_edit as admin_hours_edit
from console.admin import overview as admin
from console.admin import prompts as admin_prompts
from console.admin import trial as admin_trial
from console.api import rooms as api_rooms
from console.entry import home, login, me, welcome
from console.gate import Gate
from console.http.counters import Metrics
from console.http.events import Hub
from console.http.idempotency import Idempotency
from console.http.jobs import Jobs
from console.http.network import Connections
from console.http.routes import TABLE
from console.http.security import Security
from console.people.accounts import Accounts
from console.people.audit import Audit
from console.people.devices import KnownDevices
from console.people.lockout import FailedLogins
from console.people.passwords import Passwords
from console.people.people import People
from console.people.second_factors import SecondFactors
from console.people.sessions import Sessions, Shelf
from console.people.threads import InThread
from console.people.tokens import FIRST_ADMINISTRATOR, Tokens
from console.rendering.templates import Templates
from console.rendering.texts import Texts
from console.seat import numbers as seat_numbers
from console.seat import page as seat
from console.supervisor import calls, compliance, follow_ups, month, order, order_acts, orders, recordings
from console.unit import inbox as unit
from console.unit import people as unit_people
from console.visit import Console
from console.wall import page as wall
from console.web import resource
from node.operations.happenings import Topic
from node.operations.interfaces import Operations
from routing.clock import Clock, SystemClock

log = structlog.get_logger()
T = TypeVar("T")

# argon2 takes 64 MiB and tens of milliseconds of a whole core each time, and calls need the others
_PASSWORDS_AT_ONCE = 1
_A_DAY_S = 86_400
# each registers its routes when it is imported; a new page is added here
PAGES = (
    home, login, welcome, me, accounts, audit_log, compliance, orders, order, order_acts, recordings, calls, month,
    follow_ups, wall, seat, seat_numbers,
    unit, unit_people, admin, admin_calendar, admin_hours, admin_hours_edit, admin_directory, admin_prompts,
    admin_trial, api_tokens, api_rooms,
)  # fmt: skip


def build_console(
    operations: Operations, shelf: Shelf, settings: Settings, reactor: Any, *, data_dir: Path, clock: Clock,
    on_disk: InThread, with_passwords: Passwords, in_thread: InThread,
) -> Console:  # fmt: skip
    """Return a console that keeps its files below `data_dir`.

    `clock` is the machine's own time, also in a rehearsal: sessions do not end because the service pretends that it
    is tomorrow.
    """
    console = settings.console
    accounts = Accounts(data_dir / "console" / "accounts.json", on_disk)
    people = People(
        accounts=accounts,
        passwords=with_passwords,
        second_factors=SecondFactors(accounts, clock),
        sessions=Sessions(
            shelf, accounts, clock, idle_s=console.session_idle_s, longest_s=console.session_longest_s
        ),
        tokens=Tokens(data_dir / "console" / "tokens.json", on_disk, clock, accounts.vouches),
        failed_logins=FailedLogins(console.lockout, clock),
        devices=KnownDevices(
            data_dir / "console" / "devices.json", clock, console.lockout.known_device_days * _A_DAY_S
        ),
    )  # fmt: skip
    events = Hub(reactor)
    accounts.when_sessions_end(lambda account: events.drop(lambda viewer: viewer.name == account.name))
    accounts.when_sessions_end(lambda account: operations.supervision.end_all_of(account.name))
    return Console(
        node_number=settings.node_number, operations=operations, people=people,
        audit=Audit(data_dir, reactor, clock, on_disk), security=Security(console), texts=Texts(),
        templates=Templates(), events=events, jobs=Jobs(), idempotency=Idempotency(shelf), metrics=Metrics(),
        in_thread=in_thread,
    )  # fmt: skip


class WebConsole:
    """The console of a node; `operations` as in node/operations/interfaces.py, `shelf` in the ledger's Redis."""

    def __init__(self, operations: Operations, shelf: Shelf, settings: Settings, reactor: Any) -> None:
        self._settings, self._reactor = settings.console, reactor
        self._disk = ThreadPool(0, 1, name="console-disk")  # one thread, so that files are written in order
        self._drawing = ThreadPool(0, 1, name="console-drawing")
        self._crypt = ThreadPool(0, _PASSWORDS_AT_ONCE, name="console-passwords")
        self._clock = SystemClock()
        self.console = build_console(
            operations, shelf, settings, reactor, data_dir=settings.data_dir.absolute(), clock=self._clock,
            on_disk=self._in(self._disk), with_passwords=Passwords(self._in(self._crypt)),
            in_thread=self._in(self._drawing),
        )  # fmt: skip
        self._port: Any = None
        self._connections: Connections | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self.url = ""

    def _in(self, pool: ThreadPool) -> InThread:
        def in_thread(work: Callable[[], T], /) -> Awaitable[T]:
            done: Awaitable[T] = deferToThreadPool(self._reactor, pool, work)
            return done

        return in_thread

    async def start(self) -> None:
        """Listen, and print where, with a one-time token while there is no administrator.

        Raises ValueError or JournalCorrupt if a file of ours cannot be read, OSError if the address is taken.
        """
        self._disk.start()
        self._crypt.start()
        self._drawing.start()
        self.console.people.accounts.load()
        self.console.people.tokens.load()
        self.console.people.devices.load()
        await self.console.audit.open()
        self._unsubscribe = self.console.operations.subscribe(self.hear)
        self._connections = Connections(self._resource(), self._settings, self._reactor, self._most_bytes)
        self._port = await self._endpoint().listen(self._connections)
        self.url = self._settings.public_url or self._own_url()
        await self._announce()
        log.info("console_started", url=self.url)

    def _resource(self) -> IResource:
        gate = Gate(self.console, self._settings, self._clock, self._reactor)
        return resource(gate, TABLE, self.console.security, self._settings.behind_proxy)

    async def stop(self) -> None:
        """End every connection, and write what waits."""
        self._unsubscribe()
        self.console.events.close()
        if self._port is not None:
            await self._port.stopListening()
        if self._connections is not None:
            self._connections.abort_all()
        if self._disk.started:
            await self.console.audit.close()
            self._disk.stop()
            self._crypt.stop()
            self._drawing.stop()

    async def forget(self, before: datetime, kept: frozenset[KeyName]) -> None:
        """Forget what the audit log says of callers of before `before`; see `Audit.forget`."""
        await self.console.audit.forget(before, kept)

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know."""
        connections = self._connections
        return {
            "url": self.url,
            "viewers": self.console.events.viewers,
            "viewers_dropped": self.console.events.dropped,
            "too_slow": connections.too_slow if connections else 0,
            "refused": connections.refused if connections else 0,
        }

    def hear(self, topic: Topic, fields: dict[str, Any]) -> None:
        """Take in what happens on the node, and let the viewers hear it."""
        self.console.metrics.hear(topic, fields)
        self.console.events.publish(topic.value, fields)
        if topic is Topic.CALL and fields.get("direction") == "callback":
            # a unit hears of calls about its own orders only
            callback = {name: fields.get(name) for name in ("what", "stage", "orders", "unit_id")}
            self.console.events.publish("callback", callback)

    def _most_bytes(self, path: str) -> int:
        longer = [one.max_body_bytes for one in TABLE if one.max_body_bytes and one.matches(path)]
        return max([self._settings.max_body_bytes, *longer])

    def _endpoint(self) -> Any:
        settings = self._settings
        from_string: Any = endpoints.serverFromString
        quote: Any = endpoints.quoteStringArgument
        where = f"{settings.port}:interface={quote(settings.host)}"
        if not settings.has_tls:
            return from_string(self._reactor, f"tcp:{where}")
        key, certificate = (quote(str(path)) for path in (settings.tls_key, settings.tls_certificate))
        return from_string(self._reactor, f"ssl:{where}:privateKey={key}:certKey={certificate}")

    def _own_url(self) -> str:
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{'https' if self._settings.is_secure else 'http'}://{host}:{self._port.getHost().port}"

    async def _announce(self) -> None:
        announcement = {"event": "console_started", "url": self.url}
        if not self.console.people.accounts.has_administrator:
            token = await self.console.people.tokens.make(FIRST_ADMINISTRATOR, "", self._settings.first_token_valid_s)
            announcement |= {"first_administrator": f"{self.url}/welcome?token={token}", "token": token}
        # standard output, not the log: whoever starts the service reads it, and nobody keeps it
        print(json.dumps(announcement), file=sys.stdout, flush=True)
