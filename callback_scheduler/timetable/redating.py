"""A revised notice of holidays moves the deadlines of open orders; what is settled or broken keeps its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog

from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.orders.actor import TIMETABLE
from callback_scheduler.orders.deadlines import RULE_VERSION, Deadline, deadline_by
from callback_scheduler.orders.order import Order
from callback_scheduler.timetable.in_batches import each
from callback_scheduler.timetable.ports import Ports
from routing.calendar import Calendar

log = structlog.get_logger()

_LEASE = "calendar"  # held in the way of an order's
_FURTHEST = timedelta(days=366)  # no deadline is as far ahead as that


def new_deadline(order: Order, calendar: Calendar, at: datetime) -> Deadline | None:
    """Return the deadline an order has by `calendar`, None if it keeps the one it has.

    History keeps the rule of its time: an order of another rule, or whose breach is frozen, is not touched. Nor is a
    deadline moved into the past, where nobody could keep it any more.
    """
    if order.deadline.rule_version != RULE_VERSION or order.overdue_at is not None or not order.state.is_open:
        return None
    due = deadline_by(calendar, order.opened_at, order.deadline.counted_as, order.kind.value)
    if due.due_at == order.due_at and due.is_provisional == order.deadline.is_provisional:
        return None
    if due.due_at != order.due_at and due.due_at <= at:
        log.warning("deadline_not_moved", order_id=order.order_id, due_at=str(order.due_at), would_be=str(due.due_at))
        return None
    return due


async def redate_all(orders: OrderKeeping, ports: Ports, calendar: Calendar, at: datetime, lease_s: float) -> int:
    """Give open orders the deadlines of a revised calendar, tell their units; return how many deadlines moved.

    Raises StoreUnavailable or JournalError. While another node is at it nothing is done.
    """
    moved = 0
    lease = await orders.lease(_LEASE, lease_s)
    if lease is None:
        return 0

    async def redate_one(order: Order) -> None:
        nonlocal moved
        due = new_deadline(order, calendar, at)
        if due is None:
            return
        changes: dict[str, Any] = {"deadline": due}
        why = f"放假安排已公布，时限{due.due_at:%Y-%m-%d %H:%M}不变"
        if due.due_at != order.due_at:
            moved += 1
            why = f"放假安排更新，时限由{order.due_at:%Y-%m-%d %H:%M}改为{due.due_at:%Y-%m-%d %H:%M}"
            extra = {
                "key": f"{order.order_id}/redated@{due.due_at.isoformat()}",
                "old_due_at": order.due_at.isoformat(),
                "new_due_at": due.due_at.isoformat(),
                "reason": due.reason,
            }
            await ports.notices.tell("redated", order, extra, at)
            changes |= {"original_due_at": order.original_due_at or order.due_at, "dial_after": None}
        await orders.note_order(order.order_id, "redated", who=TIMETABLE, why=why, changes=changes, at=at)

    try:
        for time_slice in await orders.due_slices(at + _FURTHEST):
            if not await each(await orders.due_in(time_slice, {}), redate_one, lambda: orders.renew(lease)):
                break
    finally:
        await orders.release(lease)
    if moved:
        log.warning("orders_redated", moved=moved, calendar=calendar.version)
    return moved
