"""Two nodes with a timetable each on one real Redis: whatever is due is done by one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Lease, Order
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.timetable.ports import Note, Ports
from callback_scheduler.timetable.timetable import Timetable
from config.ladder import LadderSettings
from routing.calendar import Calendar
from routing.clock import SHANGHAI, MovableClock
from tests.fakes.orders import DIRECTORY
from tests.redis.nodes import InReactor, draft, wait_until

NINE = datetime(2026, 3, 4, 9, 0, tzinfo=SHANGHAI)


class TwoNodes:
    """Two ledgers with journals of their own on one Redis; callbacks end when the test lets them."""

    def __init__(self, folder: Path, url: str, in_reactor: InReactor) -> None:
        self.in_reactor = in_reactor
        self.clock = MovableClock(NINE, lambda: 0.0)
        self.told: list[tuple[str, str]] = []
        self.rung: list[str] = []
        self.ringing: Deferred[None] = Deferred()
        self.ledgers = [Ledger(folder / str(n), reactor, node_number=n, redis_url=url) for n in (1, 2)]
        for ledger in self.ledgers:
            in_reactor(ledger.start)
        ports = Ports(
            ring_back=self._ring_back, remind_leader=self._remind, notices=self, free_lines=lambda: 10
        )
        self.timetables = [
            Timetable(
                ledger.orders, LadderSettings(lease_s=3), DIRECTORY,
                calendar=Calendar(), clock=self.clock, reactor=reactor, ports=ports,
            )
            for ledger in self.ledgers
        ]  # fmt: skip

    def stop(self) -> None:
        for timetable in self.timetables:
            self.in_reactor(timetable.stop)
        for ledger in self.ledgers:
            self.in_reactor(ledger.stop)

    def sweep_together(self) -> None:
        async def together() -> None:
            await DeferredList([ensureDeferred(timetable.sweep()) for timetable in self.timetables])

        self.in_reactor(together)

    def order(self, order_id: str) -> Order:
        found: Order = self.in_reactor(self.ledgers[0].orders.order, order_id)
        return found

    async def tell(self, kind: str, order: Order, extra: dict[str, Any], at: datetime) -> None:
        self.told.append((kind, order.order_id))

    async def _remind(self, order: Order, number: str, note: Note) -> bool:
        return await note()

    async def _ring_back(self, order: Order, attempt: Attempt, lease: Lease) -> Attempt:
        self.rung.append(order.order_id)
        await self.ringing
        return replace(attempt, outcome=AttemptOutcome.UNIT_NO_ANSWER, ended_at=self.clock.now())


@pytest.fixture
def nodes(tmp_path: Path, server: EmbeddedRedis, in_reactor: InReactor) -> Iterator[TwoNodes]:
    made = TwoNodes(tmp_path, server.url, in_reactor)
    yield made
    if not made.ringing.called:
        in_reactor(_fire, made.ringing)
    made.stop()


async def _fire(deferred: Deferred[None]) -> None:
    deferred.callback(None)


def opened(nodes: TwoNodes, count: int) -> list[str]:
    drafts = [draft(f"1390000{n:04}", "tax", unit_id="tax" if n % 2 else "market") for n in range(count)]
    return [nodes.in_reactor(nodes.ledgers[n % 2].open_order, one).order_id for n, one in enumerate(drafts)]


def test_two_sweeps_at_once_ring_everybody_once_and_record_each_step_once(nodes: TwoNodes) -> None:
    order_ids = opened(nodes, 4)
    for _ in range(3):
        nodes.sweep_together()
    assert sorted(nodes.rung) == sorted(order_ids)
    assert sorted(nodes.told) == sorted(("new_order", order_id) for order_id in order_ids)
    for order_id in order_ids:
        events = nodes.in_reactor(nodes.ledgers[0].orders.order_events, order_id)
        keys = [key for event in events for key in event["payload"].get("changes", {}).get("steps_done", ())]
        assert len(keys) == len(set(keys))
        assert len(nodes.order(order_id).attempts) == 1


def test_an_enterprise_with_two_orders_is_rung_by_one_node_at_a_time(nodes: TwoNodes) -> None:
    drafts = [draft("13900000001", matter, unit_id=unit) for matter, unit in (("tax", "tax"), ("food", "market"))]
    order_ids = {nodes.in_reactor(nodes.ledgers[n].open_order, one).order_id for n, one in enumerate(drafts)}
    for _ in range(3):
        nodes.sweep_together()
    assert len(nodes.rung) == 1
    nodes.in_reactor(_fire, nodes.ringing)

    def are_both_rung() -> bool:
        nodes.sweep_together()
        return set(nodes.rung) == order_ids

    wait_until(are_both_rung)


def test_an_attempt_is_taken_over_only_when_its_lease_is_over(nodes: TwoNodes) -> None:
    (order_id,) = opened(nodes, 1)
    nodes.in_reactor(nodes.timetables[0].sweep)
    wait_until(lambda: nodes.rung == [order_id])
    nodes.in_reactor(nodes.timetables[1].sweep)
    assert nodes.order(order_id).attempts[0].outcome is AttemptOutcome.UNDER_WAY
    # the first node stands still: its lease is not renewed any more
    for dial in nodes.timetables[0]._dials._dials.values():
        nodes.in_reactor(_cancel, dial.renewing)

    def is_taken_over() -> bool:
        nodes.in_reactor(nodes.timetables[1].sweep)
        return nodes.order(order_id).attempts[0].outcome is AttemptOutcome.UNKNOWN

    wait_until(is_taken_over)
    nodes.clock.advance(timedelta(seconds=30))
    nodes.in_reactor(_fire, nodes.ringing)  # it wakes: what it has to say came too late, and rings nobody
    nodes.sweep_together()
    lost = nodes.order(order_id)
    assert (lost.attempts[0].outcome, len(lost.attempts), nodes.rung) == (AttemptOutcome.UNKNOWN, 1, [order_id])


async def _cancel(timer: Any) -> None:
    timer.cancel()
