"""Nodes, orders and processes for the tests of ledger and store."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

from twisted.internet import reactor

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.deadlines import deadline
from callback_scheduler.orders.order import OrderDraft, OrderKind
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from routing.calendar import Calendar
from routing.clock import SHANGHAI

EVENING = datetime(2026, 3, 3, 20, 0, tzinfo=SHANGHAI)
_CALENDAR = Calendar()

InReactor = Callable[..., Any]


class Node:
    """Ledgers on one data folder, one after the other, as a node that is stopped and started."""

    def __init__(self, data_dir: Path, in_reactor: InReactor) -> None:
        self.data_dir = data_dir
        self._in_reactor = in_reactor
        self.ledger: Ledger

    def start(self, **options: Any) -> Ledger:
        self.ledger = Ledger(self.data_dir, reactor, **options)
        self._in_reactor(self.ledger.start)
        return self.ledger

    def stop(self) -> None:
        self._in_reactor(self.ledger.stop)

    def restart(self, **options: Any) -> Ledger:
        self.stop()
        return self.start(**options)

    def open_order(self, number: str, **changes: Any) -> Any:
        return self._in_reactor(self.ledger.open_order, draft(number, **changes))

    def ask(self, method: str, *args: Any) -> Any:
        """Call a method of the ledger, or of a part of it: `calls`, `orders.latest`."""
        return self._in_reactor(attrgetter(method)(self.ledger), *args)

    def settle(self) -> None:
        assert self._in_reactor(self.ledger.settled, 20.0), self.ledger.status()

    @property
    def embedded(self) -> EmbeddedRedis:
        found = self.ledger._embedded
        assert found is not None
        return found


def draft(number: str, matter_id: str = "tax", after: timedelta = timedelta(0), **changes: Any) -> OrderDraft:
    """An order of the evening of 2026-03-03 to be rung back at `number`."""
    opened_at = EVENING + after
    fields: dict[str, Any] = {
        "call_id": f"call-{number}-{matter_id}",
        "kind": OrderKind.AFTER_HOURS,
        "opened_at": opened_at,
        "caller_number": number,
        "callback_number": number,
        "matter_id": matter_id,
        "unit_id": "tax-bureau",
        "deadline": deadline(_CALENDAR, opened_at, missed_in_hours=False),
        "company": "长宁某公司",
    }
    return OrderDraft(**(fields | changes))


def wait_until(claim: Callable[[], bool], within_s: float = 10.0) -> None:
    """Wait for something another process does; AssertionError if it does not within `within_s`."""
    give_up_at = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet buried does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def kill_hard(pid: int | None) -> None:
    """kill -9."""
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
