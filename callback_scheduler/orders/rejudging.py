"""A breach judged again: by a notice of holidays that came after the deadline, on the decision of a supervisor."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from callback_scheduler.orders.causes import breach_cause
from callback_scheduler.orders.deadlines import RULE_VERSION, Deadline, deadline_by
from callback_scheduler.orders.order import Order
from routing.calendar import Calendar
from routing.clock import in_shanghai


def later_deadline(order: Order, calendar: Calendar) -> Deadline | None:
    """Return the deadline that `calendar` would have given an order whose breach is frozen; None if it is no later."""
    if order.overdue_at is None or order.deadline.rule_version != RULE_VERSION:
        return None
    due = deadline_by(calendar, order.opened_at, order.deadline.counted_as, order.kind.value)
    return due if due.due_at > order.overdue_at else None


def rejudged(order: Order, due: Deadline, at: datetime) -> dict[str, Any]:
    """Return the changes that judge a frozen breach again by another deadline; the record keeps both judgements.

    If that deadline is still to come, or was kept, nothing is overdue any more; else it is from then on.
    """
    before = f"原记录：时限{_day(order.due_at)}，{order.breach_cause}"
    changes: dict[str, Any] = {"deadline": due, "original_due_at": order.original_due_at or order.due_at}
    was_kept = order.reached_at is not None and order.reached_at < due.due_at
    if was_kept or at < due.due_at:
        told = "已按时接通" if was_kept else "尚未到期"
        return changes | {"overdue_at": None, "breach_cause": f"{before}改判：时限为{_day(due.due_at)}，{told}。"}
    now = breach_cause(replace(order, deadline=due), at)
    return changes | {"overdue_at": due.due_at, "breach_cause": f"{before}改判：时限为{_day(due.due_at)}，{now}"}


def _day(at: datetime) -> str:
    return f"{in_shanghai(at):%Y-%m-%d %H:%M}"
