"""What the city's platform reports of an order, made an event of the order, once for each message."""

from __future__ import annotations

from dataclasses import dataclass

from callback_scheduler.errors import SchedulerError, UnknownOrder
from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.orders.states import OrderEvent
from routing.clock import Clock
from routing.directory import Directory
from routing.errors import UnknownUnit

STATUSES = {
    "已签收": OrderEvent.ACKNOWLEDGED,
    "已联系": OrderEvent.SELF_REPORTED,
    "退单": OrderEvent.RETURNED,
    "改派": OrderEvent.REASSIGNED,
    "办结": OrderEvent.CLOSED,
}


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

    def __init__(self, orders: OrderKeeping, directory: Directory, clock: Clock) -> None:
        self._orders, self._directory, self._clock = orders, directory, clock

    async def on_status(self, report: Report) -> Reported:
        """Let the order change, unless this message did so before.

        UnknownOrder, UnknownUnit, IllegalTransition, StaleOrder, NotTheSameReport: it cannot. StoreUnavailable,
        JournalError: not now; the message may come again under its number.
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
        changes = {"unit_id": self._unit(report.unit_id)} if report.event is OrderEvent.REASSIGNED else {}
        changed = await self._orders.change_order(
            order.order_id, report.event, who=f"city:{report.who}", why=report.why, changes=changes,
            request_id=report.message_id, at=self._clock.now(),
        )
        return Reported(changed.order_id, changed.state.value, False)

    def _unit(self, named: str) -> str:
        """Return the id of a unit given by id or by name."""
        for unit in self._directory.units:
            if named in (unit.unit_id, unit.name):
                return unit.unit_id
        raise UnknownUnit(named)
