"""What people see and do on a running node, from the console or the operator's socket: one class, in parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from callback_scheduler.orders.causes import timeline
from callback_scheduler.orders.order import Order
from callback_scheduler.reports.report import Question, Report
from config.settings import Settings
from ivr.refused import OperationRefused
from node.operations.calls import CallOperations
from node.operations.happenings import Listener
from node.operations.online import OnlineOperations
from node.operations.orders import OrderOperations
from node.operations.site.calendar import SiteOperations
from node.rooms import Rooms
from routing.calendar import Calendar
from routing.directory import Directory
from routing.hours import Hours
from routing.working_time import WorkingTime

__all__ = ["OperationRefused", "Operations", "order_fields"]

_MISSES_TOLD = 100
_REPORT_KEPT_S, _REPORTS_KEPT = 5.0, 3  # each holds all its orders


class Operations:
    """Reads here; what is done in `orders`, `online`, and the parts beside them. All in the reactor's thread."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.orders = OrderOperations(rooms)
        self.online = OnlineOperations(rooms, self.orders)
        self.calls = CallOperations(rooms)
        self.site = SiteOperations(rooms)
        self._reports: dict[tuple[Any, ...], Report] = {}
        rooms.ledger.watch(self._on_event)
        rooms.door.on_trunk_changed = self.on_lines_changed

    # -- what is there ------------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        return self._rooms.site.settings

    @property
    def directory(self) -> Directory:
        return self._rooms.office.directory

    @property
    def calendar(self) -> Calendar:
        return self._rooms.office.calendar

    @property
    def hours(self) -> Hours:
        return self._rooms.office.hours

    def now(self) -> datetime:
        """Return the time of the node's clock, which a rehearsal may move."""
        return self._rooms.clock.now()

    def status(self) -> dict[str, Any]:
        """Return how the node is at this moment: calls, seats, lines, trunks, ledger, timetable, notices."""
        rooms = self._rooms
        door, opening = rooms.door.status(), rooms.office.opening()
        calls = rooms.desk.status() + rooms.callbacks.status()
        return {
            "at": self.now().isoformat(),
            "opening": {
                "is_open": opening.is_open,
                "reason": opening.reason,
                "until": opening.until.isoformat() if opening.until else None,
            },
            "calls": calls,
            # of calls that are over
            "records_unwritten": len(rooms.desk.calls()) + len(rooms.callbacks.calls()) - len(calls),
            "seats": self.calls.seats(),
            "lines": self._lines(),
            "door": door,
            "trunks": door["registrations"],
            "ledger": rooms.ledger.status(),
            "timetable": rooms.timetable.status(),
            "notices": rooms.notices.status(),
        }

    # -- calls that were, and recordings ------------------------------------------------------------------------------

    async def recent_calls(self, limit: int = 100, after: str = "") -> list[dict[str, Any]]:
        """Return the last call records, newest first; with `after`, the id of a call, those older than it."""
        return await self._rooms.ledger.calls(limit, after)

    async def call(self, call_id: str) -> dict[str, Any] | None:
        """Return the record of a call; None if it is not kept."""
        found = await self._rooms.ledger.calls_named([call_id])
        return found[0] if found else None

    async def calls_of(self, order_id: str) -> list[dict[str, Any]]:
        """Return the records of the calls an order was made by, and of its attempts, oldest first."""
        order = await self._rooms.ledger.order(order_id)
        if order is None:
            return []
        evidence = [attempt.evidence.call_id for attempt in order.attempts if attempt.evidence]
        ids = [order.call_id, *(repeated.call_id for repeated in order.merged_calls), *evidence]
        return await self._rooms.ledger.calls_named(list(dict.fromkeys(ids)))

    def recording(self, path: str) -> Path:
        """Return a recording named in a record; OperationRefused if it is none of ours, or is not there any more."""
        folder = self._rooms.services.recordings.resolve()
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
        same = (question.rule.name, question.since, question.until, question.unit_id, question.by)
        kept = self._reports.get(same)
        if kept is not None and abs((kept.question.at - question.at).total_seconds()) < _REPORT_KEPT_S:
            return kept
        units = {unit.unit_id: unit.name for unit in self.directory.units}
        report = await self._rooms.ledger.report(question, WorkingTime(self.hours, self.calendar), units)
        told = report.misses[:_MISSES_TOLD]
        orders = {order.order_id: order for order in await self.orders.named([miss.facts.order_id for miss in told])}
        misses = [
            replace(miss, timeline=tuple(timeline(orders[miss.facts.order_id])))
            if miss.facts.order_id in orders
            else miss
            for miss in told
        ]
        report = replace(report, misses=(*misses, *report.misses[_MISSES_TOLD:]))
        if len(self._reports) >= _REPORTS_KEPT:
            self._reports.clear()
        self._reports[same] = report
        return report

    # -- what happens -------------------------------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Let `listener(kind, fields)` hear what happens from now on; return what ends that.

        Kinds: call (what: offered, step, changed, ended), seat, lines, order (event_id, what, order_id, unit_id),
        notice, site.
        """
        return self._rooms.feed.subscribe(listener)

    def _lines(self) -> dict[str, Any]:
        """Return the lines' figures, how many callers wait for one, and how many were turned away since the start."""
        lines, door = self._rooms.lines(), self._rooms.door
        if lines is None:
            return {}
        full = door.counters.get("rejected_full", 0)
        return lines.status() | {"waiting": door.waiting_for_line, "turned_away": full, "trunks": door.trunks()}

    def on_lines_changed(self) -> None:
        """Hear that a line was taken, came, or went, or that a trunk took us or lost us."""
        lines = self._rooms.lines()
        if lines is not None:
            self._rooms.feed.tell("lines", self._lines())

    def _on_event(self, event: Any, outcome: Any) -> None:
        self._rooms.feed.on_event(event, outcome)
        self.online.on_event(event, outcome)

    # -- for the node -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Remember what was set before the node stopped; once the ledger has started."""
        await self.calls.start()
        self.site.files.sweep_trials()

    async def stop(self) -> None:
        """Wait for what is under way."""
        self.calls.stop()
        await self.orders.stop()


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
