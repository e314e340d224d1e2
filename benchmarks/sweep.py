"""A sweep's look for what is due among a great many open orders; part of `benchmarks.report`."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, succeed

import config
from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.store.store import Store
from callback_scheduler.timetable.clock_watch import ClockWatch
from callback_scheduler.timetable.waiting_orders import WaitingOrders
from routing.clock import MovableClock
from routing.site import load_site

_DUE = 1000  # orders that a look finds: ten mornings' worth
_BATCH = 2000
_LOOKS = 50
_P = ParamSpec("_P")
_T = TypeVar("_T")


def took_s(work: Callable[[], object]) -> float:
    """Return how many seconds `work` took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def fill_with_open_orders(store: Store, wanted: int, at: datetime) -> None:
    """Put copies of one order into the keys that a sweep reads; all but `_DUE` are due in ten days or later."""
    client = store._redis  # the keys of the store, faster than a million events
    (pattern,) = store.orders.latest(1)
    document = json.loads(client.get(store.key("order", pattern.order_id)))
    document |= {"state": "sent", "is_open": True, "version": 2}
    client.delete(store.key("due"), store.key("stamps"))
    for first in range(0, wanted, _BATCH):
        pipeline = client.pipeline(transaction=False)
        for n in range(first, min(first + _BATCH, wanted)):
            due_at = at + (timedelta(days=10, minutes=n // 25) if n >= _DUE else timedelta(minutes=n % 60))
            number = f"open-{n:07d}"
            due_ms = round(due_at.timestamp() * 1000)
            copy = document | {"order_id": number, "due_ms": due_ms, "due_at": due_at.isoformat()}
            pipeline.set(store.key("order", number), json.dumps(copy, ensure_ascii=False))
            pipeline.zadd(store.key("due"), {number: due_ms})
            pipeline.hset(store.key("stamps"), number, 2)
        pipeline.execute()


def _at_once(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
    return succeed(work(*args, **kwargs))


def look_figures(store: Store, open_orders: int, at: datetime) -> dict[str, float]:
    """Look as a sweep does: once when nothing is known, then again and again when nothing has happened."""
    site = load_site(Path(config.__file__).parent / "hotline.yaml")
    clock = MovableClock(at, time.monotonic)
    unused: Any = None  # a look rings nobody and changes nothing
    waiting = WaitingOrders(
        OrderKeeping(store, unused, _at_once, 1), site.settings.ladder, site.directory, clock=clock,
        ports=unused, dials=unused, watch=ClockWatch(clock, time.monotonic, site.settings.ladder.clock_jump_s),
    )  # fmt: skip

    def look() -> None:
        failed: list[object] = []
        ensureDeferred(waiting.read(at, site.calendar)).addErrback(failed.append)
        assert not failed, failed
        waiting.next_step_s(at, site.calendar)
        waiting.next_dial_s(at, site.calendar)
        assert len(waiting._seen) == min(_DUE, open_orders), f"{len(waiting._seen)} orders are due"

    first_s = took_s(look)
    cpu_began = time.process_time()
    took_ms = [took_s(look) * 1000 for _ in range(_LOOKS)]
    return {
        "due_first_ms": first_s * 1000,
        "due_p50_ms": statistics.median(took_ms),
        "due_max_ms": max(took_ms),
        "due_cpu_ms": (time.process_time() - cpu_began) * 1000 / _LOOKS,
    }
