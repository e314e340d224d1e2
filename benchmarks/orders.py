"""Orders a second through journal (fdatasync) and embedded Redis (AOF, fsync on each write).

`python -m benchmarks.orders [SECONDS]` prints one table; `measure` is for the other benchmarks. Every caller waits
for its order's number, as a caller on the phone does: an order counts when it is on disk *and* Redis has said whether
an open order takes it up. The journal alone is measured beside it, as what is left when Redis is away.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet import reactor, threads
from twisted.internet.defer import ensureDeferred, gatherResults

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.deadlines import Deadline, deadline
from callback_scheduler.orders.order import OrderDraft, OrderKind
from routing.calendar import Calendar
from routing.clock import SHANGHAI

CALLERS = 50
_OPENED_AT = datetime(2026, 3, 3, 20, 0, tzinfo=SHANGHAI)


def measure(seconds: float = 10.0, callers: int = CALLERS, folder: Path | None = None) -> dict[str, Any]:
    """Return what `callers` concurrent callers got in `seconds`, and one caller alone in as long.

    Keys: callers, orders, orders_per_s, p50_ms, p95_ms, max_ms; one_caller_orders_per_s, one_caller_p50_ms,
    one_caller_p95_ms; journal_only_per_s. Runs the reactor in a thread of its own unless it runs already (then: not
    in its thread). Data goes to a folder of its own below `folder` (default: the system's temporary one, whose disk
    is then what is measured), and is removed.
    """
    running: Any = reactor  # a module, to the type checker
    if not running.running:
        threading.Thread(target=running.run, kwargs={"installSignalHandlers": False}, daemon=True).start()
    data_dir = Path(tempfile.mkdtemp(prefix="hotline-bench-", dir=folder))
    try:
        return threads.blockingCallFromThread(reactor, lambda: ensureDeferred(_measure(data_dir, seconds, callers)))
    finally:
        shutil.rmtree(data_dir)


async def _measure(data_dir: Path, seconds: float, callers: int) -> dict[str, Any]:
    ledger = Ledger(data_dir, reactor)
    await ledger.start()
    try:
        due = deadline(Calendar(), _OPENED_AT, missed_in_hours=False)

        async def open_one(name: str) -> None:
            await ledger.open_order(_draft(name, due))

        async def write_one(name: str) -> None:
            await ledger.write("call_offered", {"call_id": name, "caller": "13800000000"}, _OPENED_AT)

        await _keep_busy(open_one, 1.0, callers, "warm")
        one = await _keep_busy(open_one, seconds, 1, "one")
        many = await _keep_busy(open_one, seconds, callers, "many")
        await ledger.settled()
        written = await _keep_busy(write_one, seconds / 2, callers, "call")
        await ledger.settled(60.0)
        orders = await ledger.orders.latest(1_000_000)
        assert len({order.order_id for order in orders}) >= one["done"] + many["done"], "orders are missing in Redis"
    finally:
        await ledger.stop()
    figures = {"callers": callers, "orders": many["done"], "orders_per_s": many["per_s"]}
    figures |= {name: many[name] for name in ("p50_ms", "p95_ms", "max_ms")}
    figures |= {f"one_caller_{name}": one[name] for name in ("p50_ms", "p95_ms")}
    return figures | {"one_caller_orders_per_s": one["per_s"], "journal_only_per_s": written["per_s"]}


async def _keep_busy(
    work: Callable[[str], Awaitable[None]], seconds: float, callers: int, name: str
) -> dict[str, float]:
    """Let `callers` do `work` again and again for `seconds`."""
    took_ms: list[float] = []
    began = time.perf_counter()

    async def caller(number: int) -> None:
        turn = 0
        while time.perf_counter() - began < seconds:
            turn += 1
            at = time.perf_counter()
            await work(f"{name}-{number}-{turn}")
            took_ms.append((time.perf_counter() - at) * 1000)

    await gatherResults([ensureDeferred(caller(number)) for number in range(callers)], consumeErrors=True)
    elapsed_s = time.perf_counter() - began
    twentieths = statistics.quantiles(took_ms, n=20)
    return {
        "done": len(took_ms),
        "per_s": round(len(took_ms) / elapsed_s, 1),
        "p50_ms": round(statistics.median(took_ms), 2),
        "p95_ms": round(twentieths[-1], 2),
        "max_ms": round(max(took_ms), 2),
    }


def _draft(name: str, due: Deadline) -> OrderDraft:
    """An order with fields of the usual length; no two have the same number to ring."""
    return OrderDraft(
        call_id=name,
        kind=OrderKind.AFTER_HOURS,
        opened_at=_OPENED_AT,
        caller_number="02152550000",
        callback_number=name,
        matter_id="company-registration",
        unit_id="market-supervision",
        deadline=due,
        company="上海长宁某某科技有限公司",
        key_path="1#1",
        message_path="recordings/2026/03/03/0123456789abcdef.wav",
    )


def main() -> None:
    """Print the table; the first argument is the seconds of each measurement."""
    figures = measure(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
    print(f"{'callers':>10} {'orders/s':>10} {'p50 ms':>8} {'p95 ms':>8}")
    one = (figures["one_caller_orders_per_s"], figures["one_caller_p50_ms"], figures["one_caller_p95_ms"])
    many = (figures["orders_per_s"], figures["p50_ms"], figures["p95_ms"])
    for callers, (per_s, p50, p95) in ((1, one), (figures["callers"], many)):
        print(f"{callers:>10} {per_s:>10.0f} {p50:>8.1f} {p95:>8.1f}")
    print(f"journal alone, {figures['callers']} callers: {figures['journal_only_per_s']:.0f} events/s")


if __name__ == "__main__":
    main()
