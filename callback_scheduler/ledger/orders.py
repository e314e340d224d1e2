"""The part of the ledger that is about the lives of orders: changing them, reading them, holding them by a lease."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ParamSpec, Protocol, TypeVar

from callback_scheduler.errors import FencedOff, SchedulerError, StaleOrder, StoreUnavailable, UnknownOrder
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders import life as order_life
from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import Attempt, Lease, Order
from callback_scheduler.orders.states import OrderEvent
from callback_scheduler.store.search import OrderFilter
from callback_scheduler.store.slices import TimeSlice
from callback_scheduler.store.store import EventOutcome, Store
from routing.clock import SHANGHAI

_END_OF_TIME = datetime(9999, 1, 1, tzinfo=SHANGHAI)
_P = ParamSpec("_P")
_T = TypeVar("_T")
# The first word of what apply.lua says when it refuses an event.
_REFUSALS: dict[str, type[SchedulerError]] = {"stale": StaleOrder, "fenced": FencedOff, "unknown": UnknownOrder}


class InThread(Protocol):
    """Runs what blocks in a thread of the ledger's."""

    def __call__(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Awaitable[_T]:
        """Return what `work` returns, or raise what it raises."""
        ...


Apply = Callable[[JournalEvent], Awaitable[EventOutcome | None]]


class OrderKeeping:
    """The orders of a ledger (`Ledger.orders`); all methods raise StoreUnavailable while Redis is away.

    `apply` puts an event on disk and returns what Redis said to it, None if that takes too long; `in_thread` runs what
    blocks. `node_number` stands in every event. While `is_rebuilding`, orders look as they once were: nobody gets one.
    """

    def __init__(
        self, store: Store, apply: Apply, in_thread: InThread, node_number: int,
        is_rebuilding: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._is_rebuilding = is_rebuilding
        self._store, self._apply, self._in_thread, self._node_number = store, apply, in_thread, node_number

    # -- changing -------------------------------------------------------------------------------------------------

    async def change_order(
        self,
        order_id: str,
        event: OrderEvent,
        *,
        who: Actor | str,
        why: str = "",
        changes: Mapping[str, Any] | None = None,
        attempt: Attempt | None = None,
        epoch: int | None = None,
        request_id: str = "",
        at: datetime,
    ) -> Order:
        """Let `event` happen to an order, as the table of states says; return the order as it is then.

        `changes` are fields of Order (`order_fields.CHANGEABLE`) by their new values, None to empty one; `steps_done`
        and `messages` are added to. `attempt` is kept under its id, in place of what was known of it. `request_id`
        stands in the event, so that a program that asked for it from outside can find it again. Of `who` the journal
        keeps the text. Raises
        UnknownOrder, IllegalTransition, NotProved, StaleOrder if the order's state changed meanwhile, FencedOff if
        `epoch` is that of a lease that is over; StoreUnavailable, if not before then after a second: then the event
        is on disk and will be tried once Redis is back.
        """
        order = await self._existing(order_id)
        payload = order_life.changed(order, event, who=who, why=why, changes=changes, attempt=attempt, at=at)
        if request_id:
            payload["request_id"] = request_id
        return await self._happen("order_changed", payload, epoch, at)

    async def note_order(
        self,
        order_id: str,
        note: str,
        *,
        who: Actor | str,
        why: str = "",
        changes: Mapping[str, Any] | None = None,
        attempt: Attempt | None = None,
        epoch: int | None = None,
        at: datetime,
    ) -> Order:
        """Note something about an order that does not move its state; arguments and errors as in `change_order`."""
        order = await self._existing(order_id)
        payload = order_life.noted(order, who=who, why=why, changes=changes, attempt=attempt)
        return await self._happen("order_noted", payload | {"note": note}, epoch, at)

    async def _existing(self, order_id: str) -> Order:
        order = await self._in_thread(self._store.orders.order, order_id)
        if order is None:
            raise UnknownOrder(f"there is no order {order_id}")
        return order

    async def _happen(self, event_type: str, payload: dict[str, Any], epoch: int | None, at: datetime) -> Order:
        payload |= {"node": self._node_number, "epoch": epoch}
        outcome = await self._apply(JournalEvent.new(event_type, payload, at))
        if outcome is None:
            raise StoreUnavailable(f"{event_type} of order {payload['order_id']} is on disk, and waits for Redis")
        if outcome.status == "refused":
            kind, _, what = outcome.order_id.partition(": ")
            raise _REFUSALS.get(kind, SchedulerError)(f"order {payload['order_id']}: {what or kind}")
        return await self._existing(payload["order_id"])

    # -- leases ---------------------------------------------------------------------------------------------------

    async def lease(self, order_id: str, ttl_s: float) -> Lease | None:
        """Take an order for `ttl_s` by Redis's clock; None while another lease of it runs, or Redis is built anew."""
        if self._is_rebuilding():
            return None
        return await self._in_thread(self._store.leases.take, order_id, ttl_s)

    async def renew(self, lease: Lease) -> bool:
        """Hold a lease for its `ttl_s` from now on; False if it is over, and then the work must be dropped."""
        return await self._in_thread(self._store.leases.renew, lease)

    async def release(self, lease: Lease) -> bool:
        """Give a lease back; False if it was over."""
        return await self._in_thread(self._store.leases.release, lease)

    # -- reading --------------------------------------------------------------------------------------------------

    async def latest(self, limit: int = 100) -> list[Order]:
        """Return the last orders, newest first."""
        return await self._in_thread(self._store.orders.latest, limit)

    async def find_orders(self, asked: OrderFilter) -> list[Order]:
        """Return a page of the orders that are asked for, newest first."""
        return await self._in_thread(self._store.orders.find, asked)

    async def orders_of(self, numbers: Sequence[str]) -> list[Order]:
        """Return the orders with these numbers, in their order; those that are not there are left out."""
        return await self._in_thread(self._store.orders.orders_of, numbers)

    async def all_orders(self, since: datetime, until: datetime) -> list[Order]:
        """Return all orders opened at `since` or later and before `until`, oldest first."""
        return await self._in_thread(self._store.orders.all_orders, since, until)

    async def order(self, order_id: str) -> Order | None:
        """Return the order a number counts as; None if it was never given."""
        return await self._in_thread(self._store.orders.order, order_id)

    async def due_before(self, at: datetime, limit: int = 1000) -> list[Order]:
        """Return open orders due at `at` or before, earliest deadline first."""
        return await self._in_thread(self._store.orders.due_before, at, limit)

    async def due_slices(self, until: datetime) -> list[TimeSlice]:
        """Cut the time up to `until` into slices, earliest first, in each of which a few thousand orders are due."""
        return await self._in_thread(self._store.orders.due_slices, until)

    async def due_in(self, time_slice: TimeSlice, known: Mapping[str, Order]) -> list[Order]:
        """Return the open orders due in a slice; those that are still as they are `known` are not read again."""
        return await self._in_thread(self._store.orders.due_in, time_slice, known)

    async def open_orders(self, limit: int = 10_000) -> list[Order]:
        """Return open orders, earliest deadline first."""
        return await self._in_thread(self._store.orders.open_orders, limit)

    async def all_open_orders(self) -> list[Order]:
        """Return every open order, earliest deadline first, however many there are: for changes of the whole site."""
        found: list[Order] = []
        for time_slice in await self.due_slices(_END_OF_TIME):
            found += await self.due_in(time_slice, {})
        return found

    async def reached_orders(self) -> list[Order]:
        """Return the orders whose callback reached the enterprise and that are not closed, longest reached first."""
        return await self._in_thread(self._store.orders.reached_orders)

    async def open_orders_of(self, phone: str) -> list[Order]:
        """Return the open orders to be rung back at `phone`, or left from it; the longest open one first."""
        return await self._in_thread(self._store.orders.open_orders_of, phone)

    async def count_orders(self) -> dict[tuple[str, str], int]:
        """Return how many orders each unit has in each state, by unit and state."""
        return await self._in_thread(self._store.orders.count_orders)

    async def order_events(self, order_id: str) -> list[dict[str, Any]]:
        """Return what has happened to an order, oldest first: event_id, type, at (ISO 8601, Shanghai) and payload."""
        return await self._in_thread(self._store.orders.order_events, order_id)
