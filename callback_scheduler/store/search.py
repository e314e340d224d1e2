"""Pages of orders by unit, state, time and phone, from the sorted sets that apply.lua keeps for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import methodcaller
from typing import Any

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.store.connection import Connection, milliseconds
from routing.number_search import has_part, number_parts

_LONGEST_PAGE = 1000
_LOOKED_AT = 5000  # keys at a time, so that Redis serves others in between
_Found = tuple[float, str]  # when it was opened, in milliseconds, and its number


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders are asked for: those that everything given here fits.

    `unit_id` is that of the unit which has the order now; no `states` means all; `since` and `until` (not included) are
    about when it was opened; `phone` is rung back, or was left from: a number in any form, or a part of one, of which
    who does not see numbers finds only what is shown to them. `after` is the number of the last order of the page
    before, `limit` 1000 at most.
    """

    unit_id: str = ""
    states: frozenset[OrderState] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    phone: str = ""
    sees_numbers: bool = True
    after: str = ""
    limit: int = 50

    def fits(self, order: Order) -> bool:
        """Tell whether an order is of the unit, in one of the states, and of the phone that are asked for."""
        is_there = self.unit_id in ("", order.unit_id) and (not self.states or order.state in self.states)
        return is_there and (not self.phone or self._has_phone(order))

    def _has_phone(self, order: Order) -> bool:
        parts, is_hidden = number_parts(self.phone), not self.sees_numbers
        return any(
            number == self.phone or has_part(number, parts, is_hidden=is_hidden)
            for number in (order.callback_number, order.caller_number)
        )


def find(
    connection: Connection, read: Callable[[Sequence[str]], list[Order]], filters: OrderFilter
) -> list[Order]:
    """Return a page, newest first; `read` gives the orders of numbers."""
    limit = max(1, min(filters.limit, _LONGEST_PAGE))
    behind, equals = _cursor(connection, filters)
    first = "-inf" if filters.since is None else str(milliseconds(filters.since))
    last = "+inf" if filters.until is None else f"({milliseconds(filters.until)}"
    if behind is not None and (filters.until is None or behind[0] < milliseconds(filters.until)):
        last = str(behind[0])
    # of a phone, or of some that have digits in common, there are few, and they are looked at one by one
    most = None if filters.phone else limit + equals
    pipeline = connection.redis.pipeline(transaction=False)
    for name in _sets(connection, filters):
        window = {} if most is None else {"start": 0, "num": most}
        pipeline.zrevrangebyscore(name, last, first, withscores=True, **window)
    pages = connection.execute(pipeline)
    found = sorted({(score, number) for page in pages for number, score in page}, reverse=True)
    numbers = [number for score, number in found if behind is None or (score, number) < behind]
    if not filters.phone:
        return read(numbers[:limit])
    orders: list[Order] = []
    for start in range(0, len(numbers), _LONGEST_PAGE):
        orders += filter(filters.fits, read(numbers[start : start + _LONGEST_PAGE]))
        if len(orders) >= limit:
            break
    return orders[:limit]


def opened_before(
    connection: Connection, read: Callable[[Sequence[str]], list[Order]], before: datetime
) -> Iterator[Order]:
    """Yield the orders opened before `before`, oldest first, read page by page as they are wanted."""
    until, start = f"({milliseconds(before)}", 0
    while numbers := connection.ask(
        methodcaller("zrangebyscore", connection.key("orders"), "-inf", until, start=start, num=_LONGEST_PAGE)
    ):
        yield from read(numbers)
        start += _LONGEST_PAGE


def count(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many orders each unit has in each state, by unit and state; those of which there are none too."""
    units = _units(connection)
    places = [(unit, state.value) for unit in units for state in OrderState]
    pipeline = connection.redis.pipeline(transaction=False)
    for unit, state in places:
        pipeline.zcard(connection.key("filed", f"{unit}|{state}"))
    return dict(zip(places, connection.execute(pipeline) if places else [], strict=True))


def _cursor(connection: Connection, filters: OrderFilter) -> tuple[_Found | None, int]:
    """Return where the page before ended, and how many orders were opened in that very millisecond."""
    orders = connection.key("orders")
    score = connection.ask(lambda redis: redis.zscore(orders, filters.after)) if filters.after else None
    if score is None:
        return None, 0
    return (float(score), filters.after), int(connection.ask(lambda redis: redis.zcount(orders, score, score)))


def _sets(connection: Connection, filters: OrderFilter) -> list[str]:
    """Return the sorted sets that together hold what is asked for."""
    if filters.phone:
        return _of_phones(connection, filters.phone)
    if not filters.unit_id and not filters.states:
        return [connection.key("orders")]
    units = [filters.unit_id] if filters.unit_id else _units(connection)
    states = filters.states or frozenset(OrderState)
    return [connection.key("filed", f"{unit}|{state.value}") for unit in units for state in states]


def _of_phones(connection: Connection, phone: str) -> list[str]:
    """Return the sets of all phones that have the digits of `phone` in them, and that of the very text."""
    parts = number_parts(phone)
    patterns = [
        connection.key("of_phone", f"*{part}*")
        for part in parts
        if not any(other in part for other in parts if other != part)
    ]

    def names(redis: Any) -> set[str]:
        return {name for pattern in patterns for name in redis.scan_iter(pattern, count=_LOOKED_AT)}

    return sorted(connection.ask(names) | {connection.key("of_phone", phone)})


def _units(connection: Connection) -> list[str]:
    return sorted(connection.ask(lambda redis: redis.smembers(connection.key("units"))))
