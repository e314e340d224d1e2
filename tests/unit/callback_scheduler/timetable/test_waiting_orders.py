"""The picture of the open orders: complete however many there are, and read again only where something happened."""

from __future__ import annotations

from collections.abc import Mapping

from callback_scheduler.orders.order import Order
from callback_scheduler.store.slices import TimeSlice
from tests.fakes.orders import World, an_order, moment


def test_however_many_orders_were_left_over_this_morning_s_is_dialled_and_frozen_in_time() -> None:
    world = World("03-04 08:59")
    world.free_lines = 1
    left_over = [an_order("02-02 20:00", overdue_at=moment("02-03 10:00")) for _ in range(200)]
    today = an_order()
    world.ledger.put(*left_over, today)
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 09:00:01")
    assert ("09:00", today.order_id) in world.rung
    world.go_on_until("03-04 10:00:00")
    assert world.order(today).overdue_at == moment("03-04 10:00")


def test_a_sweep_that_finds_nothing_new_plans_nothing_again() -> None:
    world = World("03-03 21:00")
    orders = [an_order() for _ in range(20)]
    world.ledger.put(*orders)
    timetable = world.timetable()
    world.sweep()
    before = dict(timetable._waiting._next_steps)
    world.sweep()
    after = timetable._waiting._next_steps
    assert len(after) == 20
    assert all(after[number] is before[number] for number in before)


def test_a_calendar_of_another_year_plans_everything_again() -> None:
    world = World("03-03 21:00")
    world.ledger.put(an_order())
    timetable = world.timetable()
    world.sweep()
    before = dict(timetable._waiting._next_steps)
    timetable.calendar = type(timetable.calendar)()
    world.sweep()
    assert all(timetable._waiting._next_steps[number] is not before[number] for number in before)


def test_the_orders_are_taken_up_stretch_by_stretch() -> None:
    world = World("03-03 21:00")
    early, late = an_order("03-02 20:00", overdue_at=moment("03-03 10:00")), an_order()
    world.ledger.put(early, late)
    asked: list[TimeSlice] = []

    async def slices(until: object) -> list[TimeSlice]:
        return [("1", "(2"), ("2", "3")]

    async def due_in(time_slice: TimeSlice, known: Mapping[str, Order]) -> list[Order]:
        asked.append(time_slice)
        return [world.order(early)] if time_slice[0] == "1" else [world.order(late)]

    world.ledger.due_slices, world.ledger.due_in = slices, due_in  # type: ignore[method-assign]
    timetable = world.timetable()
    world.sweep()
    assert asked[:2] == [("1", "(2"), ("2", "3")]
    assert set(timetable._waiting._seen) == {early.order_id, late.order_id}
