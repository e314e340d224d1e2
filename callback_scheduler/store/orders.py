"""Orders as the store has them: by number, by deadline, by unit and state, by phone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from operator import methodcaller
from pathlib import Path
from typing import Any

from callback_scheduler.orders.fields import from_fields
from callback_scheduler.orders.order import Order
from callback_scheduler.store import search as order_search
from callback_scheduler.store.connection import Connection, milliseconds
from callback_scheduler.store.search import OrderFilter
from callback_scheduler.store.slices import TimeSlice, TimeSlices
from routing.clock import SHANGHAI

_DUE_SCRIPT = Path(__file__).with_name("due.lua").read_text(encoding="utf-8")
_CHUNK = 2000


class StoredOrders:
    """Reads the orders of a store; changes none."""

    def __init__(self, connection: Connection, slices: TimeSlices) -> None:
        self._connection = connection
        self._ask, self._key = connection.ask, connection.key
        self._slices = slices

    def order(self, order_id: str) -> Order | None:
        """Return the order a number counts as (another, if it was merged); None if the number was never given."""
        known = self._ask(lambda redis: redis.hget(self._key("numbers"), order_id))
        found = self._orders([known.split()[0]]) if known else []
        return found[0] if found else None

    def latest(self, limit: int = 100) -> list[Order]:
        """Return the last orders, newest first."""
        return self._orders(self._ask(lambda redis: redis.zrevrange(self._key("orders"), 0, limit - 1)))

    def orders_of(self, numbers: Sequence[str]) -> list[Order]:
        """Return the orders with these numbers, in their order; a number that was never an order's own is left out."""
        return self._orders(numbers)

    def all_orders(self, since: datetime, until: datetime) -> list[Order]:
        """Return all orders opened at `since` or later and before `until`, oldest first."""
        first, last = milliseconds(since), f"({milliseconds(until)}"
        return self._orders(self._ask(lambda redis: redis.zrangebyscore(self._key("orders"), first, last)))

    def settled_orders(self, before: datetime, limit: int) -> list[Order]:
        """Return up to `limit` orders opened before `before` that are not owed any more, oldest first."""
        pages = order_search.opened_before(self._connection, self._orders, before)
        return list(islice((order for order in pages if not order.state.is_open), limit))

    def reached_orders(self) -> list[Order]:
        """Return the orders whose callback reached the enterprise and that are not closed, longest reached first."""
        return self._orders(self._ask(lambda redis: redis.zrange(self._key("reached"), 0, -1)))

    def known(self, order_ids: Sequence[str]) -> set[str]:
        """Return those of `order_ids` under which an order is kept that has not been forgotten."""
        counting = self._ask(lambda redis: redis.hmget(self._key("numbers"), order_ids)) if order_ids else []
        leads_to = {number: (entry or number).split()[0] for number, entry in zip(order_ids, counting, strict=True)}
        pipeline = self._connection.redis.pipeline(transaction=False)
        for number in leads_to.values():
            pipeline.exists(self._key("order", number))
        answers = self._connection.execute(pipeline)
        return {number for number, is_there in zip(leads_to, answers, strict=True) if is_there}

    def due_before(self, at: datetime, limit: int = 1000) -> list[Order]:
        """Return open orders due at `at` or before, earliest deadline first."""
        until = milliseconds(at)
        found = self._ask(lambda redis: redis.zrangebyscore(self._key("due"), "-inf", until, start=0, num=limit))
        return self._orders(found)

    def due_slices(self, until: datetime) -> list[TimeSlice]:
        """Cut the time up to `until` into slices, earliest first, in each of which a few thousand orders are due."""
        return self._slices.cut("due", "-inf", str(milliseconds(until)))

    def due_in(self, time_slice: TimeSlice, known: Mapping[str, Order]) -> list[Order]:
        """Return the open orders due in a slice, earliest deadline first.

        Those that nothing has happened to since they were `known` are returned as they are there, and not read.
        """
        (lines,) = self._slices.read(_DUE_SCRIPT, over=[time_slice])
        stamps: dict[str, str] = dict(line.split(" ") for line in lines.splitlines())
        as_known = {number: known[number] for number, stamp in stamps.items() if _is_known(known.get(number), stamp)}
        read = self._orders([number for number in stamps if number not in as_known])
        found = as_known | {order.order_id: order for order in read if order.state.is_open}
        return [found[number] for number in stamps if number in found]

    def open_orders(self, limit: int = 10_000) -> list[Order]:
        """Return open orders, earliest deadline first."""
        return self._orders(self._ask(lambda redis: redis.zrange(self._key("due"), 0, limit - 1)))

    def open_orders_of(self, phone: str, limit: int = 100) -> list[Order]:
        """Return the open orders to be rung back at `phone`, or left from it; the longest open one first."""
        return self._orders(self._ask(lambda redis: redis.zrange(self._key("open_by_phone", phone), 0, limit - 1)))

    def find(self, filters: OrderFilter) -> list[Order]:
        """Return a page of the orders that are asked for, newest first."""
        return order_search.find(self._connection, self._orders, filters)

    def order_events(self, order_id: str) -> list[dict[str, Any]]:
        """Return what has happened to an order, oldest first: event_id, type, at (ISO 8601, Shanghai) and payload."""
        known = self._ask(lambda redis: redis.hget(self._key("numbers"), order_id))
        if not known:
            return []
        told = self._ask(lambda redis: redis.lrange(self._key("order", known.split()[0], "events"), 0, -1))
        return [_timeline_entry(json.loads(event)) for event in told]

    def count_orders(self) -> dict[tuple[str, str], int]:
        """Return how many orders each unit has in each state, by unit and state; those of which there are none too."""
        return order_search.count(self._connection)

    def _orders(self, numbers: Sequence[str]) -> list[Order]:
        found: list[Order] = []
        for first in range(0, len(numbers), _CHUNK):
            keys = [self._key("order", number) for number in numbers[first : first + _CHUNK]]
            documents = self._ask(methodcaller("mget", keys))
            joined = ",".join(document for document in documents if document is not None)
            found.extend(map(from_fields, json.loads(f"[{joined}]")))
        return found


def _is_known(order: Order | None, stamp: str) -> bool:
    return order is not None and order.stamp == stamp


def _timeline_entry(told: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(told.pop("at_ms") / 1000, SHANGHAI)
    return told | {"at": at.isoformat()}
