"""A house with orders whose reports are counted by the real code, and what a supervisor's orders are like."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from callback_scheduler.orders.call_facts import CallFacts
from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.orders.verdict import facts_of
from callback_scheduler.reports.report import Material, Question, Report, make_report
from routing.clock import SHANGHAI
from routing.working_time import WorkingTime
from tests.fakes.orders import CALENDAR, an_order
from tests.web.visitors import House

NOW = datetime(2026, 3, 10, 9, 5, tzinfo=SHANGHAI)  # as fake_operations.MORNING


def opened(at: datetime, **changes: Any) -> Order:
    """Return an order of the tax unit left at `at`, due on the next workday."""
    fields: dict[str, Any] = {"opened_at": at, "deadline": deadline(CALENDAR, at, missed_in_hours=False)}
    return replace(an_order(), **(fields | changes))


def due_today(**changes: Any) -> Order:
    """Return an order left last evening, due at ten."""
    return opened(NOW - timedelta(hours=13), **changes)


def an_attempt(outcome: AttemptOutcome, begun_at: datetime, talk_s: float = 0.0, recording: str = "") -> Attempt:
    """Return an attempt that has ended; with `talk_s` the unit accepted and both talked."""
    is_talk = talk_s > 0
    evidence = Evidence(
        call_id=f"call-{begun_at:%d%H%M%S}",
        unit_number="6111",
        unit_answered_at=begun_at if is_talk else None,
        accepted_at=begun_at if is_talk else None,
        enterprise_answered_at=begun_at if is_talk else None,
        talk_began_at=begun_at if is_talk else None,
        two_way_s=talk_s,
        recording=recording,
    )
    return Attempt(
        attempt_id=f"x-{begun_at:%H%M%S}", begun_at=begun_at, by="timetable", number="13900000001", outcome=outcome,
        ended_at=begun_at + timedelta(seconds=40), enterprise_rung_at=begun_at if outcome.counts_as_tried else None,
        evidence=evidence,
    )  # fmt: skip


class Supervised(House):
    """Reports are made of `orders_there` and of `call_facts`; `questions` and `last_report` are what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.questions: list[Question] = []
        self.call_facts: list[CallFacts] = []
        self.operations.report = self._report  # type: ignore[method-assign]

    def put(self, *orders: Order) -> Order:
        """Let there be orders; return the last."""
        for order in orders:
            self.operations.orders_there[order.order_id] = order
        return orders[-1]

    def put_recording(self, order: Order, path: Path) -> Order:
        """Let an order have a message, recorded in a file."""
        self.operations.recordings_there[path.name] = path
        return self.put(replace(order, message_path=path.name))

    def put_a_month(self) -> None:
        """Let there be orders of every class in two units, and calls."""
        for n, unit_id in enumerate(("tax", "market", "tax", "tax")):
            at = NOW - timedelta(days=5, hours=13 - n)
            morning = at.replace(hour=9) + timedelta(days=1)
            reached = (an_attempt(AttemptOutcome.REACHED, morning, 60.0),)
            late = (an_attempt(AttemptOutcome.REACHED, morning + timedelta(hours=8), 60.0),)
            vain = tuple(
                an_attempt(AttemptOutcome.ENTERPRISE_BUSY, morning + timedelta(minutes=k)) for k in range(3)
            )
            self.put(
                opened(at, unit_id=unit_id, attempts=reached, state=OrderState.REACHED),
                opened(at, unit_id=unit_id, attempts=late, state=OrderState.REACHED),
                opened(at, unit_id=unit_id, attempts=vain, state=OrderState.NOT_REACHED),
                opened(at, unit_id=unit_id, self_reported_at=morning, state=OrderState.SELF_REPORTED),
                opened(at, unit_id=unit_id),
                due_today(unit_id=unit_id),
            )
        at_ms = int((NOW - timedelta(days=1)).timestamp() * 1000)
        self.call_facts.append(
            CallFacts(at_ms, True, "tax", "served", 90_000, at_ms + 1, at_ms + 2, "accepted", 60.0, False)
        )

    async def _report(self, question: Question) -> Report:
        self.questions.append(question)
        operations = self.operations
        orders = [facts_of(order) for order in operations.orders_there.values()]
        working = WorkingTime(operations.hours, operations.calendar)
        units = {unit.unit_id: unit.name for unit in operations.directory.units}
        self.last_report = make_report(question, Material(orders, self.call_facts, ()), working, units)
        return self.last_report
