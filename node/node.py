"""The node: the rooms of the service built, connected, started and stopped in order."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, cast

import structlog
from twisted.internet import protocol
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.stdio import StandardIO
from twisted.logger import LogLevel, formatEvent, globalLogBeginner
from twisted.python.failure import Failure

from callback_scheduler.errors import SchedulerError
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.notices.notices import Notices
from callback_scheduler.timetable.housekeeping import Housekeeping
from callback_scheduler.timetable.ports import Ports
from callback_scheduler.timetable.timetable import Timetable
from config.settings import create_data_dir
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.presence import Presence
from ivr.calls.services import CallServices
from ivr.dispatch.incoming import Desk
from ivr.dispatch.outgoing import Callbacks
from ivr.dispatch.recovery import recover
from ivr.door.door import Door
from ivr.line.messages import LineConfig
from ivr.pool.pool import LinePool, LineSlot
from ivr.speech.prompts import Prompt, PromptBook
from node.console_port import OpenConsole, WebConsole
from node.control import Control
from node.control_answers import call_answerers
from node.operations.happenings import HappeningsFeed
from node.operations.operations import Operations, order_fields
from node.order_answers import order_answerers
from node.rooms import Rooms
from routing.clock import Clock, MovableClock, SystemClock
from routing.site import Site
from routing.site_changes import FOLDER as SITE_FOLDER
from routing.site_changes import PROMPTS, changed_calendar, with_changes

log = structlog.get_logger()
reactor: Any = installed_reactor  # Twisted gives the module this type's name, not its interface


class Node:
    """One machine's service; `start` and `stop` may each be called once."""

    def __init__(self, site: Site, clock: Clock, open_console: OpenConsole | None = None) -> None:
        settings = self._settings = site.settings
        self._open_console, self._console = open_console, cast(WebConsole | None, None)
        self._clock = clock
        self._data_dir = create_data_dir(settings)
        site = with_changes(site, self._data_dir / SITE_FOLDER)
        self._recordings = self._data_dir / "recordings"
        self._ledger = Ledger(
            self._data_dir, reactor, node_number=settings.node_number, redis_url=settings.redis_address()
        )
        self._prompts = PromptBook(
            settings.prompts, self._data_dir / "prompts", reactor, changes=self._data_dir / SITE_FOLDER / PROMPTS
        )
        self._office = Office(settings, site.directory, site.calendar, site.hours, clock)
        self._orders = Orders(self._ledger, self._office)
        self._feed = HappeningsFeed()
        services = CallServices(
            reactor, clock, self._prompts, settings.phone, Presence(), self._recordings, self._dial_uri,
            tell=self._feed.on_call,
        )  # fmt: skip
        self._desk = Desk(services, self._office, self._orders)
        self._door = Door(settings.sip, self, reactor, self._desk.on_call)
        self._callbacks = Callbacks(services, self._office, self._orders, self._ledger, lambda: self._lines)
        self._notices = Notices(
            self._ledger, settings.notices, self._data_dir / "notices",
            directory=site.directory, clock=clock, reactor=reactor,
        )  # fmt: skip
        ports = self._make_ports()
        self._timetable = self._make_timetable(site, ports)
        self._lines: LinePool | None = None
        self._is_stopping = False
        self.operations = Operations(self._rooms(site, services, ports))
        self._control = Control(self._data_dir / "control.sock", reactor, self._answerers())

    def _make_ports(self) -> Ports:
        return Ports(
            ring_back=self._callbacks.ring_back,
            remind_leader=self._callbacks.remind_leader,
            notices=self._notices,
            free_lines=self._callbacks.free_lines,
            phones_in_use=self._callbacks.phones_in_use,
            keep_house=Housekeeping(self._ledger, self._settings.keeping, self._notices, self._recordings).run,
        )

    def _rooms(self, site: Site, services: CallServices, ports: Ports) -> Rooms:
        return Rooms(
            site=site,
            reactor=reactor,
            clock=self._clock,
            data_dir=self._data_dir,
            services=services,
            office=self._office,
            ledger=self._ledger,
            promises=self._orders,
            desk=self._desk,
            callbacks=self._callbacks,
            timetable=self._timetable,
            ports=ports,
            notices=self._notices,
            door=self._door,
            lines=lambda: self._lines,
            feed=self._feed,
        )

    def _make_timetable(self, site: Site, ports: Ports) -> Timetable:
        return Timetable(
            self._ledger.orders, site.settings.ladder, site.directory,
            calendar=site.calendar, clock=self._clock, reactor=reactor, ports=ports,
            read_calendar=lambda: changed_calendar(site.settings, self._data_dir / SITE_FOLDER),
            on_calendar=self._office.take_calendar,
        )  # fmt: skip

    def take(self) -> LineSlot | None:
        """Give the door a line for a new call; None while there is none."""
        return self._lines.take() if self._lines else None

    @property
    def is_growing(self) -> bool:
        """Tell the door whether a line is on its way; while the service starts, all are."""
        return self._lines.is_growing if self._lines else not self._is_stopping

    def is_line(self, sip_port: int) -> bool:
        """Tell the door whether one of our lines listens at a loopback port: nobody else may call out through it."""
        return self._lines is not None and self._lines.is_line(sip_port)

    def _line_config(self) -> LineConfig:
        """What all lines have in common; the door must be open, since its inner port is the lines' way out."""
        sip = self._settings.sip
        trunk = next(iter(sip.trunks), None)
        return LineConfig(
            line=0,
            socket_path=str(self._data_dir / "lines.sock"),
            outbound_proxy=self._door.inner_uri,
            media_address=sip.media_address,
            rtp_port=sip.rtp_port,
            rtp_port_range=sip.rtp_port_range,
            auth_username=trunk.username if trunk else "",
            auth_password=trunk.password() if trunk else "",
        )

    def _dial_uri(self, number: str) -> tuple[str, str]:
        """Return the URI a number of the directory is rung at, and the URI shown there as ours."""
        sip = self._settings.sip
        host = (sip.public_address or sip.listen).rpartition(":")[0] or sip.public_address
        shown = next(iter(sip.own_numbers), "12345")
        if number.startswith("sip:"):
            return number, f"sip:{shown}@{host}"
        trunk = sip.trunks[0]
        transport = ";transport=tcp" if trunk.transport == "tcp" else ""
        return f"sip:{number}@{trunk.host}{transport}", f"sip:{trunk.caller_id or shown}@{host}"

    # -- life -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start every room; the service answers calls when this returns, and 503 before."""
        await self._ledger.start()
        await self._notices.start()  # first of all: a receiver new to the site is owed everything from now on
        await recover(self._ledger, self._orders, self._clock, self._recordings)
        await self.operations.start()
        await self._prompts.warm(self._filled_prompts())
        await self._door.start()
        lines = LinePool(
            self._settings.lines,
            self._line_config(),
            reactor,
            self._door.line_died,
            on_line_ready=self._door.line_ready,
            on_change=self.operations.on_lines_changed,
        )
        await lines.start()
        self._lines = lines
        self._door.line_ready()
        self._timetable.start()
        self._control.start()
        if self._open_console is not None:
            self._console = self._open_console(
                self.operations, self._ledger.expiring_texts("console"), self._settings, reactor
            )
            await self._console.start()
        log.info("service_started", sip=self._settings.sip.listen, data_dir=str(self._data_dir), pid=os.getpid())

    async def stop(self) -> None:
        """Let nobody in, release the callers, write everything, end every process."""
        self._is_stopping = True
        lines, self._lines = self._lines, None
        await self._control.stop()
        if self._console is not None:
            await self._console.stop()
        await self._callbacks.stop()
        await self._timetable.stop()
        await self.operations.stop()
        await self._desk.stop()
        if lines is not None:
            await lines.stop()
        await self._door.stop()
        await self._prompts.stop()
        await self._notices.stop()
        await self._ledger.stop()
        log.info("service_stopped")

    def _filled_prompts(self) -> list[tuple[Prompt, dict[str, Any]]]:
        """Return the prompts with values that any caller may need at once: menus and whispers."""
        matters = self._office.directory.matters
        options = [matter.name for matter in self._office.menu().values()]
        filled: list[tuple[Prompt, dict[str, Any]]] = [
            (menu, {"matters": options}) for menu in (Prompt.MENU, Prompt.MENU_AGAIN, Prompt.MENU_CLOSED)
        ]
        whispers = (
            Prompt.WHISPER_SPECIALIST, Prompt.WHISPER_SEAT, Prompt.CONNECTING_SPECIALIST, Prompt.CALLBACK_WHISPER,
        )  # fmt: skip
        served = [matter for matter in matters if not matter.belongs_elsewhere]
        filled += [(whisper, {"matter": matter.name}) for matter in served for whisper in whispers]
        return filled

    # -- what an operator may ask (see `control.py`) ----------------------------------------------------------------

    def _answerers(self) -> dict[str, Callable[..., Awaitable[Any]]]:
        return {
            "status": self._status,
            "orders": self._list_orders,
            "order": self._one_order,
            "order_events": self.operations.orders.events,
            "calls": lambda limit=20: self.operations.recent_calls(limit),
            "surveys": lambda limit=20: self._ledger.surveys(limit),
            "notices": self._list_notices,
            "retry_notice": self._notices.retry,
            "set_clock": self._set_clock,
            **call_answerers(self.operations.calls),
            **order_answerers(self.operations),
        }

    async def _status(self) -> dict[str, Any]:
        return self.operations.status()

    async def _list_notices(self) -> dict[str, Any]:
        return {"receivers": self._notices.status(), "dead_letters": self._notices.dead_letters()}

    async def _list_orders(self, limit: int = 20) -> list[dict[str, Any]]:
        return [order_fields(order) for order in await self._ledger.orders.latest(limit)]

    async def _one_order(self, order_id: str) -> dict[str, Any] | None:
        order = await self.operations.orders.one(order_id)
        return order_fields(order) if order else None

    async def _set_clock(self, at: str) -> str:
        if not isinstance(self._clock, MovableClock):
            raise PermissionError("the clock moves only in a rehearsal: start the service with --at")
        self._clock.set(datetime.fromisoformat(at))
        log.warning("clock_set", at=at)
        return self._clock.now().isoformat()


class _EndsWithStdin(protocol.Protocol):
    """Ends the service when whoever started it is gone."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self._end()


def serve(
    site: Site, at: datetime | None = None, ends_with_stdin: bool = False, open_console: OpenConsole | None = None
) -> int:
    """Run the service until SIGTERM or SIGINT; return the exit status: 0, or 1 if it could not start.

    With `at` the clock is set to that moment and can be moved by an operator. Log lines go to standard error;
    standard output gets one line of JSON when the service is ready.
    """
    _log_as_json()
    # Twisted counts by the wall clock: set back an hour, it would leave every timer waiting for an hour
    reactor.seconds = time.monotonic
    node = Node(site, MovableClock(at) if at else SystemClock(), open_console)
    status = 0
    stopping: list[Deferred[None]] = []

    def stop() -> None:
        if not stopping:
            stopping.append(ensureDeferred(node.stop()))
            stopping[0].addErrback(lambda failure: log.error("stop_failed", error=str(failure)))
            stopping[0].addBoth(lambda _: reactor.stop())

    def ready(_: object) -> None:
        print(json.dumps({"event": "service_started", "sip": site.settings.sip.listen, "pid": os.getpid()}), flush=True)

    def broken(failure: Failure) -> None:
        nonlocal status
        status = 1
        if isinstance(failure.value, SchedulerError):  # its message says where and what
            log.error("start_failed", error=str(failure.value), what_to_do=failure.value.what_to_do)
        else:
            log.error("start_failed", error=failure.getErrorMessage(), traceback=failure.getTraceback())
        stop()

    def start() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: reactor.callFromThread(stop))
        if ends_with_stdin:
            StandardIO(_EndsWithStdin(stop), reactor=reactor)  # type: ignore[no-untyped-call]
        ensureDeferred(node.start()).addCallbacks(ready, broken)

    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=True)
    return status


def _log_twisted(event: dict[str, Any]) -> None:
    """Log what Twisted has to say only when something went wrong: an error nobody handled must not be silent."""
    if event["log_level"] >= LogLevel.error:
        failure = event.get("log_failure")
        log.error("twisted_error", text=formatEvent(event), traceback=failure.getTraceback() if failure else "")


def _log_as_json() -> None:
    globalLogBeginner.beginLoggingTo([cast(Any, _log_twisted)], redirectStandardIO=False, discardBuffer=True)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
