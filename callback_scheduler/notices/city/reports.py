"""What the city's platform reports of an order, made an event of the order, once for each message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callback_scheduler.errors import SchedulerError, UnknownOrder
from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderEvent, OrderState
from routing.clock import Clock
from routing.directory import Directory
from routing.errors import UnknownUnit

Tell = Callable[[str, Order, dict[str, Any], datetime], Awaitable[None]]
STATUSES = {
    "已签收": OrderEvent.ACKNOWLEDGED,
    "已联系": OrderEvent.SELF_REPORTED,
    "退单": OrderEvent.RETURNED,
    "改派": OrderEvent.REASSIGNED,
    "办结": OrderEvent.CLOSED,
}


# Whoever reads of it later, the new unit first, must know why.
_NEEDS_WHY = frozenset({OrderEvent.SELF_REPORTED, OrderEvent.RETURNED, OrderEvent.REASSIGNED, OrderEvent.CLOSED})


class NoReason(SchedulerError):
    """说明 is missing, and nobody could say afterwards why; nothing was changed."""


class SameUnit(SchedulerError):
    """The order is at this unit already; nothing was changed."""


class NotTheSameReport(SchedulerError):
    """A message came again under its number with something else in it; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the platform says happened to an order; `message_id` names the message, `unit_id` the new unit of 改派."""

    message_id: str
    order_id: str
    event: OrderEvent
    who: str
    why: str
    unit_id: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """What came of a report: the order's number and state; `is_repeated` if it had been taken before."""

    order_id: str
    state: str
    is_repeated: bool


class CityReports:
    """Takes reports into the ledger."""

    def __init__(self, orders: OrderKeeping, directory: Directory, clock: Clock, tell: Tell) -> None:
        """`tell` is `Notices.tell`."""
        self._orders, self._directory, self._clock, self._tell = orders, directory, clock, tell

    async def on_status(self, report: Report) -> Reported:
        """Let the order change, unless this message did so before.

        The rules are those of `node.operations.orders`. UnknownOrder, UnknownUnit, SameUnit, NoReason,
        IllegalTransition, StaleOrder, NotTheSameReport: it cannot. StoreUnavailable, JournalError: not now; the
        message may come again under its number.
        """
        order = await self._orders.order(report.order_id)
        if order is None:
            raise UnknownOrder(f"there is no order {report.order_id}")
        for event in await self._orders.order_events(order.order_id):
            payload = event["payload"]
            if payload.get("request_id") == report.message_id:
                if payload.get("event") != report.event.value:
                    raise NotTheSameReport(f"message {report.message_id} came before as {payload.get('event')}")
                return Reported(order.order_id, str(payload["state_to"]), True)
        if report.event in _NEEDS_WHY and not report.why.strip():
            raise NoReason("说明 is missing: say why")
        changes = {"unit_id": self._unit(report.unit_id)} if report.event is OrderEvent.REASSIGNED else {}
        if changes.get("unit_id") == order.unit_id:
            raise SameUnit(f"order {order.order_id} is at {order.unit_id} already")
        changed = await self._orders.change_order(
            order.order_id, report.event, who=f"city:{report.who}", why=report.why, changes=changes,
            request_id=report.message_id, at=self._clock.now(),
        )
        if report.event is OrderEvent.REASSIGNED and changed.state is OrderState.SENT:
            key = f"{changed.order_id}/reassigned@{changed.version}"  # one not handed over yet: the timetable tells
            await self._tell("new_order", changed, {"key": key}, self._clock.now())
        return Reported(changed.order_id, changed.state.value, False)

    def _unit(self, named: str) -> str:
        """Return the id of a unit given by id or by name."""
        for unit in self._directory.units:
            if named in (unit.unit_id, unit.name):
                return unit.unit_id
        raise UnknownUnit(named)
