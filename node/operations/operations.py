"""What people see and do on a running node, from the console or the operator's socket: one class, in parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.order import Order
from callback_scheduler.reports.report import Question, Report
from callback_scheduler.store.store import EventOutcome
from config.settings import Settings
from ivr.calls.office import Office
from ivr.refused import OperationRefused
from node.operations.call_view import CallView
from node.operations.calls import CallOperations
from node.operations.follow_ups import FollowUps
from node.operations.happenings import HappeningsFeed, Listener, Topic
from node.operations.number_check import NumberCheck
from node.operations.online import OnlineOperations
from node.operations.orders import OrderOperations
from node.operations.reports import Reports
from node.operations.seats import SeatOperations
from node.operations.site.site import SiteOperations
from node.operations.status import NodeStatus
from node.operations.supervision import SupervisionOperations
from routing.calendar import Calendar
from routing.clock import Clock
from routing.directory import Directory
from routing.hours import Hours

__all__ = ["NodeOperations", "OperationRefused", "order_fields"]



class NodeOperations:
    """Reads here, acts in its parts; what each promises is said in `interfaces`."""

    def __init__(
        self, settings: Settings, *, office: Office, ledger: Ledger, recordings: Path, clock: Clock,
        feed: HappeningsFeed, status: NodeStatus, reports: Reports, orders: OrderOperations, online: OnlineOperations,
        calls: CallOperations, call_view: CallView, seats: SeatOperations, supervision: SupervisionOperations,
        number_check: NumberCheck, site: SiteOperations, follow_ups: FollowUps,
    ) -> None:  # fmt: skip
        """`settings` are those the node was started with; `recordings` is the folder of all recordings."""
        self._settings, self._office, self._ledger, self._recordings = settings, office, ledger, recordings
        self._clock, self._feed, self._status, self._reports = clock, feed, status, reports
        self.orders, self.online = orders, online
        self.calls, self.call_view, self.seats = calls, call_view, seats
        self.supervision, self.number_check, self.site = supervision, number_check, site
        self.follow_ups = follow_ups

    # -- what is there ------------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def directory(self) -> Directory:
        return self._office.directory

    @property
    def calendar(self) -> Calendar:
        return self._office.calendar

    @property
    def hours(self) -> Hours:
        return self._office.hours

    def now(self) -> datetime:
        """Return the time of the node's clock, which a rehearsal may move."""
        return self._clock.now()

    def status(self) -> dict[str, Any]:
        """Return how the node is at this moment: calls, seats, lines, trunks, ledger, timetable, notices."""
        return self._status.status()

    # -- calls that were, and recordings ------------------------------------------------------------------------------

    async def recent_calls(self, limit: int = 100, after: str = "") -> list[dict[str, Any]]:
        """Return the last call records, newest first; with `after`, the id of a call, those older than it."""
        return await self._ledger.calls(limit, after)

    async def call(self, call_id: str) -> dict[str, Any] | None:
        """Return the record of a call; None if it is not kept."""
        found = await self._ledger.calls_named([call_id])
        return found[0] if found else None

    async def calls_of(self, order_id: str) -> list[dict[str, Any]]:
        """Return the records of the calls an order was made by, and of its attempts, oldest first."""
        order = await self._ledger.orders.order(order_id)
        if order is None:
            return []
        evidence = [attempt.evidence.call_id for attempt in order.attempts if attempt.evidence]
        ids = [order.call_id, *(repeated.call_id for repeated in order.merged_calls), *evidence]
        return await self._ledger.calls_named(list(dict.fromkeys(ids)))

    def recording(self, path: str) -> Path:
        """Return a recording named in a record; OperationRefused if it is none of ours, or is not there any more."""
        folder = self._recordings.resolve()
        try:
            file = (folder / path).resolve()
            is_ours = file.is_relative_to(folder) and file.suffix == ".wav"
            is_there = is_ours and file.is_file()
        except (OSError, ValueError):  # a null byte, a name too long, links in a circle
            is_ours = is_there = False
        if not is_ours:
            raise OperationRefused("这不是录音文件。", "recording.foreign")
        if not is_there:
            raise OperationRefused("录音已不存在。", "recording.gone")
        return file

    # -- figures ------------------------------------------------------------------------------------------------------

    async def report(self, question: Question) -> Report:
        """Return a report; of the same question some seconds apart only one is counted."""
        return await self._reports.report(question)

    # -- what happens -------------------------------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Let `listener(kind, fields)` hear what happens from now on; return what ends that.

        Kinds: call (what: offered, step, changed, ended), seat, lines, order (event_id, what, order_id, unit_id),
        notice, site.
        """
        return self._feed.subscribe(listener)

    def on_lines_changed(self) -> None:
        """Hear that a line was taken, came, or went, or that a trunk took us or lost us."""
        if lines := self._status.lines():
            self._feed.tell(Topic.LINES, lines)

    def on_event(self, event: JournalEvent, outcome: EventOutcome) -> None:
        """Hear of an event that counts: listeners are told, and what a chat waits for is noted."""
        self._feed.on_event(event, outcome)
        self.online.on_event(event, outcome)

    # -- for the node -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Remember what was set before the node stopped; once the ledger has started."""
        await self.seats.start()
        self.site.changes.sweep_trials()

    async def stop(self) -> None:
        """Wait for what is under way."""
        self.seats.stop()
        await self.orders.stop()
        await self.online.stop()


def order_fields(order: Order) -> dict[str, Any]:
    """Return an order for JSON: instants ISO 8601, the fields of its deadline beside the others."""
    fields = asdict(order)
    fields |= fields.pop("deadline")
    plain: dict[str, Any] = json.loads(json.dumps(fields, default=_plain))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return value.isoformat() if isinstance(value, datetime) else value.value
