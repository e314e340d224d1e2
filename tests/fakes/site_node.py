"""A node of which only the site can be changed, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, succeed

import config
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders.order import Order
from ivr.calls.office import Office
from ivr.refused import OperationRefused
from node.operations.happenings import HappeningsFeed, Topic
from node.operations.site.site import SiteOperations
from routing.calendar import Calendar
from routing.site import Site, load_site
from routing.site_changes import FOLDER, with_changes
from tests.fakes.event_log import BEGUN, WRITTEN, a_turn
from tests.fakes.orders import FakeKeeping, Reactor, an_order, done, moment

SHIPPED = Path(config.__file__).parent
# a made-up notice: one day of 2026 more that is free, though chinesecalendar has it as a workday


class _Ledger(FakeKeeping):
    """Orders in memory, and what is written beside them."""

    def __init__(self, time: Reactor) -> None:
        super().__init__(time)
        self.written: list[JournalEvent] = []

    async def write(self, event_type: str, payload: dict[str, Any], at: Any) -> None:
        await a_turn(self._time)
        self.log.add(WRITTEN, event_type, payload, at)
        self.written.append(JournalEvent.new(event_type, payload, at))

    async def history(self, *event_types: str) -> list[JournalEvent]:
        return [event for event in self.written if event.event_type in event_types]


class Node:
    """A site with its operations, at half past eight on Wednesday 2026-03-04; may be started again."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.time = Reactor()
        self.ledger = _Ledger(self.time)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.sweeps: list[Calendar] = []
        self.start()

    def start(self) -> None:
        configured = load_site(SHIPPED / "hotline.yaml")
        self.site = with_changes(configured, self.data_dir / FOLDER)
        clock: Any = SimpleNamespace(now=lambda: moment("03-04 08:30"))
        self.office = Office(
            self.site.settings, self.site.directory, self.site.calendar, self.site.hours, clock
        )
        feed = HappeningsFeed()
        feed.subscribe(self._hear)
        timetable: Any = SimpleNamespace(sweep_calendar=self._sweep)
        ledger: Any = self.ledger
        no_prompts: Any = None
        self.operations = SiteOperations(
            configured.settings, self.data_dir, office=self.office, ledger=ledger, timetable=timetable,
            prompts=no_prompts, feed=feed, clock=clock, reactor=self.time,
            in_thread=self._in_thread,
        )  # fmt: skip

    def _hear(self, topic: Topic, fields: dict[str, Any]) -> None:
        self.ledger.log.add(BEGUN, "hear", fields)
        self.told.append((topic.value, fields))

    def _in_thread(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.ledger.log.add(BEGUN, work.__name__, {})
        return succeed(work(*args))

    async def _sweep(self) -> None:
        site = with_changes(self.site_as_configured(), self.data_dir / FOLDER)
        self.office.take_calendar(site.calendar)

    @staticmethod
    def site_as_configured() -> Site:
        return load_site(SHIPPED / "hotline.yaml")

    def do(self, act: str, *args: Any) -> Any:
        return done(ensureDeferred(attrgetter(act)(self.operations)(*args)), self.time)

    def refusal(self, act: str, *args: Any) -> str:
        with pytest.raises(OperationRefused) as refused:
            self.do(act, *args)
        return refused.value.key

    def order(self, **changes: Any) -> Order:
        order = an_order(**changes)
        self.ledger.put(order)
        return order

    def events(self) -> list[dict[str, Any]]:
        return [event.payload for event in self.ledger.written]

    def is_workday(self) -> bool:
        return self.office.calendar.day(moment("03-04 00:00").date()).is_workday
