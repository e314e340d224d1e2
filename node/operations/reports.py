"""Reports of the node: of the same question some seconds apart only one is counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.causes import timeline
from callback_scheduler.reports.reader import report_from
from callback_scheduler.reports.report import Question, Report
from ivr.calls.office import Office
from routing.working_time import WorkingTime

_MISSES_TOLD = 100
_REPORT_KEPT_S, _REPORTS_KEPT = 5.0, 3  # each holds all its orders


class Reports:
    """Counts reports, and keeps the last few for whoever asks the same at once."""

    def __init__(self, ledger: Ledger, office: Office) -> None:
        self._ledger, self._office = ledger, office
        self._reports: dict[tuple[Any, ...], Report] = {}

    async def report(self, question: Question) -> Report:
        """Return a report; its first hundred misses have the timelines of their orders."""
        same = (question.rule.name, question.since, question.until, question.unit_id, question.by)
        kept = self._reports.get(same)
        if kept is not None and abs((kept.question.at - question.at).total_seconds()) < _REPORT_KEPT_S:
            return kept
        units = {unit.unit_id: unit.name for unit in self._office.directory.units}
        working = WorkingTime(self._office.hours, self._office.calendar)
        report = await report_from(self._ledger.read, question, working, units)
        told = report.misses[:_MISSES_TOLD]
        behind = await self._ledger.orders.orders_of([miss.facts.order_id for miss in told])
        orders = {order.order_id: order for order in behind}
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
