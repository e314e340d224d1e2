"""Pages of orders by unit, state, time and phone, from the sorted sets that apply.lua keeps for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState

_LONGEST_PAGE = 1000
_ADDED_MEANWHILE = 20
_Found = tuple[float, str]  # when it was opened, in milliseconds, and its number


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders are asked for: those that everything given here fits.

    `unit_id` is that of the unit which has the order now; no `states` means all; `since` and `until` (not included) are
    about when it was opened; `phone` is rung back, or was left from. `after` is the number of the last order of the
    page before, `limit` 1000 at most.
    """

    unit_id: str = ""
    states: frozenset[OrderState] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    phone: str = ""
    after: str = ""
    limit: int = 50

    def fits(self, order: Order) -> bool:
        """Tell whether an order is of the unit, and in one of the states, that are asked for."""
        return self.unit_id in ("", order.unit_id) and (not self.states or order.state in self.states)


def find(
    redis: Any,
    key: Callable[..., str],
    read: Callable[[Sequence[str]], list[Order]],
    asked: OrderFilter,
    ask: Callable[[Callable[[], Any]], Any],
) -> list[Order]:
    """Return a page, newest first; `read` gives the orders of numbers, `ask` makes a question to `redis` safe."""
    limit = max(1, min(asked.limit, _LONGEST_PAGE))
    behind, equals = _cursor(redis, key, asked, ask)
    first = "-inf" if asked.since is None else str(_milliseconds(asked.since))
    last = "+inf" if asked.until is None else f"({_milliseconds(asked.until)}"
    if behind is not None and (asked.until is None or behind[0] < _milliseconds(asked.until)):
        last = str(behind[0])
    # of one phone there are few, and they are looked at one by one
    most = None if asked.phone else limit + equals
    pipeline = redis.pipeline(transaction=False)
    for name in _sets(redis, key, asked, ask):
        window = {} if most is None else {"start": 0, "num": most}
        pipeline.zrevrangebyscore(name, last, first, withscores=True, **window)
    found = sorted({(score, number) for page in ask(pipeline.execute) for number, score in page}, reverse=True)
    numbers = [number for score, number in found if behind is None or (score, number) < behind]
    if not asked.phone:
        return read(numbers[:limit])
    return [order for order in read(numbers) if asked.fits(order)][:limit]


def opened_before(
    redis: Any,
    key: Callable[..., str],
    read: Callable[[Sequence[str]], list[Order]],
    before: datetime,
    ask: Callable[[Callable[[], Any]], Any],
) -> Iterator[Order]:
    """Yield the orders opened before `before`, oldest first, read page by page as they are wanted."""
    until, start = f"({_milliseconds(before)}", 0
    while numbers := ask(
        partial(redis.zrangebyscore, key("orders"), "-inf", until, start=start, num=_LONGEST_PAGE)
    ):
        yield from read(numbers)
        start += _LONGEST_PAGE


def count(
    redis: Any, key: Callable[..., str], ask: Callable[[Callable[[], Any]], Any]
) -> dict[tuple[str, str], int]:
    """Return how many orders each unit has in each state, by unit and state; those of which there are none too."""
    units = sorted(ask(lambda: redis.smembers(key("units"))))
    places = [(unit, state.value) for unit in units for state in OrderState]
    pipeline = redis.pipeline(transaction=False)
    for unit, state in places:
        pipeline.zcard(key("filed", f"{unit}|{state}"))
    return dict(zip(places, ask(pipeline.execute) if places else [], strict=True))


def behind(redis: Any, name: str, after: str, limit: int, ask: Callable[[Callable[[], Any]], Any]) -> list[str]:
    """Return what stands behind `after` ("": from the first) in a sorted set, the latest first; [] if it is not there.

    What is added between the two questions moves `after` down: it is looked for, and a few more are read.
    """
    if not after:
        return list(ask(lambda: redis.zrevrange(name, 0, limit - 1)))
    rank = ask(lambda: redis.zrevrank(name, after))
    if rank is None:
        return []
    found = list(ask(lambda: redis.zrevrange(name, rank, rank + limit + _ADDED_MEANWHILE)))
    return found[found.index(after) + 1 :][:limit] if after in found else []


def _cursor(
    redis: Any, key: Callable[..., str], asked: OrderFilter, ask: Callable[[Callable[[], Any]], Any]
) -> tuple[_Found | None, int]:
    """Return where the page before ended, and how many orders were opened in that very millisecond."""
    score = ask(lambda: redis.zscore(key("orders"), asked.after)) if asked.after else None
    if score is None:
        return None, 0
    return (float(score), asked.after), int(ask(lambda: redis.zcount(key("orders"), score, score)))


def _sets(
    redis: Any, key: Callable[..., str], asked: OrderFilter, ask: Callable[[Callable[[], Any]], Any]
) -> list[str]:
    """Return the sorted sets that together hold what is asked for."""
    if asked.phone:
        return [key("of_phone", asked.phone)]
    if not asked.unit_id and not asked.states:
        return [key("orders")]
    units = [asked.unit_id] if asked.unit_id else sorted(ask(lambda: redis.smembers(key("units"))))
    states = asked.states or frozenset(OrderState)
    return [key("filed", f"{unit}|{state.value}") for unit in units for state in states]


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
