"""A node that stood still in the middle of a sweep acts by the time it is when it wakes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from callback_scheduler.orders.order import Attempt, Lease, Order
from callback_scheduler.orders.states import OrderEvent
from tests.fakes.orders import World, an_order, moment

NINE = moment("03-04 09:00")


def stand_still(world: World, order: Order, hours: float) -> None:
    """Let it be so many hours later when the node has got the lease of an order."""
    take = world.ledger.lease

    async def lease(order_id: str, ttl_s: float) -> Lease | None:
        taken = await take(order_id, ttl_s)
        if order_id == order.order_id:
            world.clock.advance(timedelta(hours=hours))
        return taken

    world.ledger.lease = lease  # type: ignore[method-assign]


def test_who_was_to_be_rung_in_the_morning_is_not_rung_by_a_node_that_wakes_at_night() -> None:
    world = World("03-04 09:00")
    order = an_order()
    world.ledger.put(order)
    world.timetable()
    stand_still(world, order, hours=12)
    world.sweep()
    assert world.rung == []


def test_the_safe_time_after_a_lost_attempt_counts_from_the_waking() -> None:
    world = World("03-04 09:00")
    order = an_order()
    world.ledger.put(order)
    attempt = Attempt(
        attempt_id=order.next_attempt_id, begun_at=NINE, by="timetable", number=order.callback_number,
        enterprise_rung_at=NINE,
    )  # fmt: skip
    world.done(world.ledger.change_order(
        order.order_id, OrderEvent.ATTEMPT_BEGUN, who="timetable", attempt=replace(attempt, epoch=0), at=NINE
    ))  # fmt: skip
    world.timetable()
    stand_still(world, order, hours=0.5)
    world.sweep()
    assert world.order(order).dial_after == NINE + timedelta(minutes=30 + 15)
