"""The node: the rooms of the service built, connected, started and stopped in order."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import structlog
from twisted.internet import reactor as installed_reactor
from twisted.internet.threads import deferToThread

from callback_scheduler.errors import StartCalledOff
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.notices.notices import Notices
from callback_scheduler.timetable.housekeeping import Housekeeping
from callback_scheduler.timetable.may_dial import DialFor
from callback_scheduler.timetable.ports import Ports
from callback_scheduler.timetable.timetable import Timetable
from config.settings import create_data_dir
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.presence import Presence
from ivr.calls.services import CallServices
from ivr.calls.way_out import WayOut
from ivr.dispatch.incoming import IncomingCalls
from ivr.dispatch.outgoing import OutgoingCalls
from ivr.dispatch.recovery import recover
from ivr.door.door import Door
from ivr.line.messages import LineConfig
from ivr.pool.pool import LinePool
from ivr.speech.prompts import Prompt, PromptBook
from node.console_port import OpenConsole, WebConsole
from node.control import Control
from node.control_answers import answerers
from node.data_dir import DataDirHold
from node.drain import Drain
from node.lines import NodeLines
from node.operations.call_view import CallView
from node.operations.calls import CallOperations
from node.operations.follow_ups import FollowUps
from node.operations.happenings import HappeningsFeed
from node.operations.number_check import NumberCheck
from node.operations.online import OnlineOperations
from node.operations.operations import NodeOperations
from node.operations.orders import OrderOperations
from node.operations.reports import Reports
from node.operations.running_calls import RunningCalls
from node.operations.seats import SeatOperations
from node.operations.site.site import SiteOperations
from node.operations.status import NodeStatus
from node.operations.supervision import SupervisionOperations
from routing.clock import Clock
from routing.site import Site
from routing.site_changes import FOLDER as SITE_FOLDER
from routing.site_changes import PROMPTS, changed_calendar, with_changes

log = structlog.get_logger()
reactor: Any = installed_reactor  # Twisted gives the module this type's name, not its interface


class Node:
    """One machine's service; `start` and `stop` may each be called once."""

    def __init__(self, site: Site, clock: Clock, open_console: OpenConsole | None = None) -> None:
        settings = self._settings = site.settings
        self._open_console, self._clock = open_console, clock
        self._console: WebConsole | None = None
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
        way_out = WayOut(settings)
        services = CallServices(
            reactor, clock, self._prompts, settings.phone, Presence(), self._recordings, way_out.uri,
            shows=way_out.shows, may_ring=lambda number: self._office.may_dial_now("", number, DialFor.LIVE) is None,
            tell=self._feed.on_call,
        )  # fmt: skip
        self._desk = IncomingCalls(services, self._office, self._orders)
        self._pool = LinePool(
            settings.lines, self._line_config, reactor, self._line_died,
            on_line_ready=self._line_ready, on_change=self._on_lines_changed,
        )  # fmt: skip
        self._lines = NodeLines(self._pool)
        self._door = Door(
            settings.sip, self._lines, reactor, self._desk.on_call,
            bounds=settings.bounds, line_count=settings.lines.count, book=self._data_dir / "dialogs",
        )  # fmt: skip
        self._callbacks = OutgoingCalls(services, self._office, self._orders, self._ledger, self._lines)
        self._notices = Notices(
            self._ledger, settings.notices, self._data_dir / "notices",
            directory=site.directory, clock=clock, reactor=reactor,
        )  # fmt: skip
        ports = self._make_ports()
        self._timetable = self._make_timetable(site, ports)
        self._hold = DataDirHold(self._data_dir)
        self._begun = AsyncExitStack()
        self._is_stopping = False
        self.operations = self._make_operations(services, ports)
        self._ledger.watch(self.operations.on_event)
        self._door.on_trunk_changed = self._on_lines_changed
        asked = answerers(self.operations, self._ledger, self._notices, clock, self._timetable.clock_was_set)
        self._control = Control(self._data_dir / "control.sock", reactor, {**asked, "drain": self._drain_asked})

    def _make_ports(self) -> Ports:
        return Ports(
            ring_back=self._callbacks.ring_back,
            remind_leader=self._callbacks.remind_leader,
            notices=self._notices,
            free_lines=self._callbacks.free_lines,
            phones_in_use=self._callbacks.phones_in_use,
            may_dial_now=self._office.may_dial_now,
            keep_house=Housekeeping(
                self._ledger, self._settings.keeping, self._notices, self._recordings, (self._forget_too,)
            ).run,
        )

    async def _forget_too(self, before: datetime, kept: frozenset[KeyName]) -> None:
        await self._notices.forget(before)
        await deferToThread(self._prompts.forget, before)
        if self._console is not None:
            await self._console.forget(before, kept)

    def _make_operations(self, services: CallServices, ports: Ports) -> NodeOperations:
        settings, ledger, office, clock, presence = (
            self._settings, self._ledger, self._office, self._clock, services.presence
        )  # fmt: skip
        running = RunningCalls(self._desk.calls, self._callbacks.calls)
        orders = OrderOperations(
            ledger, timetable=self._timetable, ports=ports, callbacks=self._callbacks, office=office,
            presence=presence, clock=clock, own_numbers=settings.sip.own_numbers, rules=office.dial_rules,
        )  # fmt: skip
        seats = SeatOperations(
            presence, manners=services.manners, office=office, ledger=ledger, feed=self._feed, clock=clock,
            reactor=reactor,
        )  # fmt: skip
        self.drain = Drain(reactor, settings.drain_s, close=self._let_nobody_in, calls=lambda: len(running.all()))
        status = NodeStatus(
            drain=self.drain, office=office, desk=self._desk, callbacks=self._callbacks, seats=seats,
            lines=self._lines, door=self._door,
            ledger=ledger, timetable=self._timetable, notices=self._notices, clock=clock,
            folder=self._data_dir, least_free_mb=settings.keeping.least_free_mb,
        )  # fmt: skip
        site = SiteOperations(
            settings, self._data_dir, office=office, ledger=ledger, timetable=self._timetable,
            prompts=self._prompts, feed=self._feed, clock=clock, reactor=reactor,
        )  # fmt: skip
        return NodeOperations(
            settings, office=office, ledger=ledger, recordings=self._recordings, clock=clock, feed=self._feed,
            status=status, reports=Reports(ledger, office), orders=orders,
            online=OnlineOperations(
                orders, promises=self._orders, ledger=ledger, timetable=self._timetable, office=office, clock=clock
            ),
            calls=CallOperations(running, office), call_view=CallView(running, seats, office, ledger, clock),
            seats=seats, supervision=SupervisionOperations(running, office),
            number_check=NumberCheck(
                self._callbacks, office=office, presence=presence, ledger=ledger, clock=clock
            ), site=site, follow_ups=FollowUps(ledger, clock),
        )  # fmt: skip

    def _make_timetable(self, site: Site, ports: Ports) -> Timetable:
        return Timetable(
            self._ledger.orders, site.settings.ladder, site.directory,
            calendar=site.calendar, clock=self._clock, reactor=reactor, ports=ports,
            read_calendar=lambda: changed_calendar(site.settings, self._data_dir / SITE_FOLDER),
            on_calendar=self._office.take_calendar,
        )  # fmt: skip

    # -- what lines need of rooms that are built after the pool -------------------------------------------------------

    def _line_died(self, sip_port: int) -> None:
        self._door.line_died(sip_port)

    def _line_ready(self) -> None:
        self._door.line_ready()

    def _on_lines_changed(self) -> None:
        self.operations.on_lines_changed()

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
            retry_after_s=sip.retry_after_s,
            least_free_bytes=self._settings.keeping.least_free_mb * 1_000_000,
        )

    # -- life -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start every room; the service answers calls when this returns, and 503 before.

        A start that fails half way is ended by `stop`, as one that succeeded: each room has its end here beside its
        beginning, and the last to begin is the first to end.
        """
        await self._begin(self._hold.take, self._hold.let_go)  # before anything in the folder is touched
        await self._begin(self._ledger.start, self._ledger.stop)
        await self._begin(self._notices.start, self._notices.stop)  # a receiver new to the site is owed all from now on
        await self._step(lambda: recover(self._ledger, self._orders, self._clock, self._recordings))
        await self._step(self.operations.start)
        await self._begin(lambda: self._prompts.warm(self._filled_prompts()), self._prompts.stop)
        await self._begin(self._door.start, self._door.stop)
        await self._begin(self._pool.start, self._pool.stop)
        # calls come from here on: who rings is released before the lines end
        self._begun.push_async_callback(self._desk.stop)
        self._begun.push_async_callback(self.operations.stop)
        self._lines.open()
        self._door.line_ready()
        self._begun.push_async_callback(self._timetable.stop)
        self._timetable.start()
        self._begun.push_async_callback(self._callbacks.stop)
        # the operator's socket begins before the console, and ends before it
        console = self._console = self._make_console()
        if console is not None:
            self._begun.push_async_callback(console.stop)
        self._begun.push_async_callback(self._control.stop)
        self._control.start()
        if console is not None:
            await self._step(console.start)
        log.info("service_started", sip=self._settings.sip.listen, data_dir=str(self._data_dir), pid=os.getpid())

    async def _begin(self, start: Callable[[], Awaitable[object]], stop: Callable[[], Awaitable[object]]) -> None:
        self._go_on()  # or `stop` would not see what is put on the stack behind its back
        self._begun.push_async_callback(stop)  # first: what fails while it starts may have left something behind
        await start()
        self._go_on()

    async def _step(self, step: Callable[[], Awaitable[object]]) -> None:
        """Do what needs no end of its own."""
        self._go_on()
        await step()
        self._go_on()

    def _go_on(self) -> None:
        """Raise StartCalledOff if the node was told to stop meanwhile: nothing may begin after that."""
        if self._is_stopping:
            raise StartCalledOff("the node was told to stop while it was starting")

    def _make_console(self) -> WebConsole | None:
        if self._open_console is None:
            return None
        return self._open_console(self.operations, self._ledger.expiring_texts("console"), self._settings, reactor)

    def _let_nobody_in(self) -> None:
        self._door.drain()
        self._lines.drain()
        self._on_lines_changed()

    async def _drain_asked(self) -> dict[str, Any]:
        status: dict[str, Any] = self.drain.begin()
        return status

    async def stop(self) -> None:
        """Let nobody in, release the callers, write everything, end every process."""
        self._is_stopping = True
        self.drain.stop()
        self._lines.close()
        await self._begun.aclose()
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
