"""A node that kills itself while it tells: `python -m tests.redis.telling_node FOLDER PORT POINT NTH`.

It opens orders, changes them, and posts every event to the receiver at PORT. POINT is a line below; the process dies
the NTH time it gets there.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from twisted.internet import defer, reactor
from twisted.internet.task import deferLater

from callback_scheduler import outbox
from callback_scheduler.errors import SchedulerError
from callback_scheduler.ledger import Ledger
from callback_scheduler.notices import Notices
from callback_scheduler.order_states import OrderEvent
from callback_scheduler.outbox import Outbox
from callback_scheduler.webhook import Webhook
from config.notices import NoticeSettings
from routing.clock import MovableClock
from tests.redis.crashing_node import die
from tests.redis.nodes import EVENING, draft
from tests.redis.telling import DIRECTORY, QUICK

ORDERS = 20
_reached = 0


def _now(nth: int) -> bool:
    global _reached  # noqa: PLW0603
    _reached += 1
    return _reached == nth


def _before(real: Callable[..., Any], nth: int) -> Callable[..., Any]:
    def instead(*args: Any) -> Any:
        if _now(nth):
            die()
        return real(*args)

    return instead


def _after(real: Callable[..., Any], nth: int) -> Callable[..., Any]:
    def instead(*args: Any) -> Any:
        result = real(*args)
        if _now(nth):
            die()
        return result

    return instead


def _answered(real: Callable[..., Any], nth: int) -> Callable[..., Any]:
    async def instead(*args: Any) -> None:
        await real(*args)
        if _now(nth):
            die()

    return instead


def _half_written(real: Callable[..., Any], nth: int) -> Callable[..., Any]:
    def instead(file: Path, content: bytes) -> None:
        if _now(nth):
            file.with_suffix(".new").write_bytes(content[: len(content) // 2])
            die()
        real(file, content)

    return instead


def _half_buried(real: Callable[..., Any], nth: int) -> Callable[..., Any]:
    def instead(box: Outbox, lines: list[Any]) -> None:
        if _now(nth):
            with box._dead_file.open("ab") as file:
                file.write(b'\n{"event_id": "half of a')
            die()
        real(box, lines)

    return instead


POINTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "before_the_post": (Webhook, "deliver", _before),
    "taken_by_the_receiver_cursor_not_written": (Webhook, "deliver", _answered),
    "before_the_cursor": (Outbox, "save", _before),
    "cursor_half_written": (outbox, "_replace", _half_written),
    "cursor_on_disk": (Outbox, "save", _after),
    "refused_not_buried": (Outbox, "bury", _before),
    "dead_letter_half_written": (Outbox, "_append", _half_buried),
    "buried_cursor_not_written": (Outbox, "bury", _after),
}


async def main(folder: Path, port: int, point: str, nth: int) -> None:
    ledger = Ledger(folder, reactor)
    await ledger.start()
    url = f"http://127.0.0.1:{port}/notices"
    board = {"name": "board", "url": url, "secret_env": "TEST_SECRET", "phone_numbers": "full"}
    settings = NoticeSettings.model_validate({"webhooks": [board], "retry": QUICK})
    notices = Notices(
        ledger, settings, folder / "notices",
        directory=DIRECTORY, clock=MovableClock(EVENING), reactor=reactor, chance=random.Random(nth),
    )
    await notices.start()
    owner, name, around = POINTS[point]
    setattr(owner, name, around(getattr(owner, name), nth))
    for n in range(ORDERS):
        # every fourth caller has a number that the receiver refuses
        opened = await ledger.open_order(draft(f"13{n % 4}{os.getpid():06d}{n:02d}", call_id=f"{n}"))
        for event in (OrderEvent.SENT, OrderEvent.ACKNOWLEDGED):
            with suppress(SchedulerError):  # a busy machine lets Redis answer late; what counts is in the journal
                await ledger.change_order(opened.order_id, event, who="timetable", at=EVENING)
    await deferLater(reactor, 20)
    sys.exit(f"{point} was reached {_reached} times, not {nth}")


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    running = defer.ensureDeferred(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    running.addErrback(lambda failure: (failure.printTraceback(), os._exit(2)))
    reactor.run()  # type: ignore[attr-defined]
