"""A node that kills itself at a named point: `python -m tests.redis.crashing_node FOLDER POINT NTH`.

It opens orders from 20 callers at once, some of them twice, and prints `number order_id` for each that a caller was
told. POINT is a function below; the process dies the NTH time that point is reached with orders in hand.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import structlog
from twisted.internet import defer, reactor

from callback_scheduler import segments
from callback_scheduler.ledger import Ledger
from callback_scheduler.segments import SegmentWriter
from callback_scheduler.store import Store
from tests.redis.nodes import draft

CALLERS, ORDERS_EACH = 20, 30
_reached = 0


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def _patched(owner: Any, name: str, nth: int, around: Callable[..., Any]) -> None:
    """Replace `owner.name` so that its NTH call goes through `around(real, *args)`, which dies."""
    real = getattr(owner, name)

    def counting(*args: Any) -> Any:
        global _reached  # noqa: PLW0603
        _reached += 1
        return around(real, *args) if _reached == nth else real(*args)

    setattr(owner, name, counting)


def _before(real: Callable[..., Any], *args: Any) -> None:
    die()


def _after(real: Callable[..., Any], *args: Any) -> None:
    real(*args)
    die()


def _half_written(real: Callable[..., Any], writer: SegmentWriter, records: bytes) -> None:
    writer._write(records[: len(records) * 2 // 3])
    die()


def _not_synced(real: Callable[..., Any], writer: SegmentWriter, records: bytes) -> None:
    writer._write(records)
    die()


def _half_applied(real: Callable[..., Any], store: Store, journal_id: str, events: Any) -> None:
    real(store, journal_id, events[: (len(events) + 1) // 2])
    die()


POINTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "before_the_write": (SegmentWriter, "append", _before),
    "half_written": (SegmentWriter, "append", _half_written),
    "written_not_synced": (SegmentWriter, "append", _not_synced),
    "on_disk_nobody_told": (SegmentWriter, "append", _after),
    "before_redis": (Store, "apply", _before),
    "half_in_redis": (Store, "apply", _half_applied),
    "in_redis_nobody_told": (Store, "apply", _after),
    "new_segment_named": (segments, "create", _after),
    "answer_under_way": (Ledger, "_answer", _before),
}


async def caller(ledger: Ledger, name: int) -> None:
    for n in range(ORDERS_EACH):
        number = f"{name}-{n // 2}"  # every number rings twice
        opened = await ledger.open_order(draft(number, call_id=f"{name}-{n}"))
        os.write(1, f"{number} {opened.order_id}\n".encode())


async def main(folder: Path, point: str, nth: int) -> None:
    ledger = Ledger(folder, reactor)
    ledger._journal._segment_bytes = 8000
    await ledger.start()
    _patched(*POINTS[point][:2], nth, POINTS[point][2])
    await defer.gatherResults([defer.ensureDeferred(caller(ledger, name)) for name in range(CALLERS)])
    sys.exit(f"{point} was reached {_reached} times, not {nth}")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for what callers are told
    running = defer.ensureDeferred(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
    running.addErrback(lambda failure: (failure.printTraceback(), os._exit(2)))
    reactor.run()  # type: ignore[attr-defined]
