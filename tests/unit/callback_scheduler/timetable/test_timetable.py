"""The timetable in virtual time: what it does in a morning, what it makes up for, what it never does twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callback_scheduler.orders.order import Attempt, AttemptOutcome, Order
from callback_scheduler.orders.states import OrderEvent, OrderState
from config.ladder import LadderRules, LadderSettings
from tests.fakes.orders import DIRECTORY, NO_ANSWER, REACHED, Play, World, an_order, moment


def test_an_order_of_the_evening_is_handed_over_at_once_and_rung_back_at_nine() -> None:
    world = World("03-03 21:00")
    order = an_order("03-03 21:00", state=OrderState.OPENED)
    world.ledger.put(order)
    world.plays[order.order_id] = [REACHED]
    world.timetable()
    world.sweep()
    assert world.order(order).state is OrderState.SENT
    assert world.told_of("new_order") == [order.order_id]
    world.go_on_until("03-04 10:30")
    assert world.rung == [("09:00", order.order_id)]
    kept = world.order(order)
    assert kept.state is OrderState.REACHED
    assert kept.overdue_at is None
    assert kept.reached_at == moment("03-04 09:00:12")


def test_an_order_nobody_answers_climbs_the_ladder_and_is_frozen_at_ten() -> None:
    world = World("03-04 08:00")
    order = an_order()
    world.ledger.put(order)
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 09:59:59")
    assert world.order(order).overdue_at is None
    world.go_on_until("03-04 10:00:00")
    broken = world.order(order)
    assert broken.overdue_at == moment("03-04 10:00")
    assert broken.breach_cause == "时限前拨打7次（单位无人接听7次），企业电话从未拨出。"
    assert [kind for kind, _, _ in world.told] == [
        "reminder", "escalation", "escalation", "supervisor_alarm", "breach",
    ]  # fmt: skip
    assert world.ledger.done(order.order_id) == [
        "reminder", "first_dial", "second_tier", "head", "head_acknowledged", "leader", "leader_acknowledged",
    ]  # fmt: skip
    assert [at for _, payload, at in world.ledger.events if payload.get("note") == "breach_frozen"] == [
        moment("03-04 10:00")
    ]


def test_dialling_goes_on_after_the_breach() -> None:
    world = World("03-04 09:55")
    order = an_order()
    world.ledger.put(order)
    world.plays[order.order_id] = [Play(), REACHED]
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 12:00")
    late = world.order(order)
    assert late.state is OrderState.REACHED
    assert late.overdue_at == moment("03-04 10:00")


def test_each_step_is_told_of_once_however_often_the_sweep_runs() -> None:
    world = World("03-04 08:45")
    order = an_order()
    world.ledger.put(order)
    world.timetable()
    for _ in range(5):
        world.sweep()
    assert world.told_of("reminder") == [order.order_id]
    assert world.ledger.done(order.order_id) == ["reminder"]


def test_the_leader_is_rung_once_for_all_orders_of_the_unit() -> None:
    world = World("03-04 09:39")
    orders = [an_order() for _ in range(5)]
    world.ledger.put(*orders)
    world.free_lines = 0
    world.timetable()
    world.sweep()
    world.reminded.clear()
    world.go_on_until("03-04 09:45")
    assert world.reminded == [("09:40", DIRECTORY.unit("tax").leader_number)]
    (alarm,) = [extra for kind, _, extra in world.told if kind == "supervisor_alarm"]
    assert alarm["order_ids"] == [order.order_id for order in orders]
    assert all("leader" in world.ledger.done(order.order_id) for order in orders)


def test_the_digest_is_one_list_for_each_unit() -> None:
    world = World("03-03 16:59")
    tax = [an_order("03-02 20:00", deadline=an_order().deadline) for _ in range(3)]
    market = an_order("03-02 20:00", deadline=an_order().deadline, unit_id="market")
    world.ledger.put(*tax, market)
    world.timetable()
    world.sweep()
    world.go_on_until("03-03 17:05")
    digests = {extra["unit_id"]: extra["order_ids"] for kind, _, extra in world.told if kind == "digest"}
    assert digests == {"tax": [order.order_id for order in tax], "market": [market.order_id]}


def test_units_may_have_times_of_their_own() -> None:
    at_half_past_eight = LadderRules(reminder_at=moment("03-04 08:30").time())
    world = World("03-04 08:29", LadderSettings(units={"market": at_half_past_eight}))
    tax, market = an_order(), an_order(unit_id="market")
    world.ledger.put(tax, market)
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 08:31")
    assert world.told_of("reminder") == [market.order_id]


def test_a_tier_that_opens_while_the_first_rings_is_rung_as_soon_as_that_has_failed() -> None:
    world = World("03-04 09:11:50")
    order = an_order()
    world.ledger.put(order)
    world.plays[order.order_id] = [Play(takes_s=20.0), REACHED]
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 09:13")
    assert world.rung == [("09:11", order.order_id), ("09:12", order.order_id)]


def test_tries_an_enterprise_does_not_answer_are_told_as_such() -> None:
    world = World("03-04 08:00")
    order = an_order()
    world.ledger.put(order)
    world.plays[order.order_id] = [NO_ANSWER] * 20
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 10:00")
    assert world.order(order).breach_cause == "已尽责未接通：时限前拨打企业4次（企业无人接听4次）。"


def test_an_enterprise_that_talks_at_ten_is_waited_for() -> None:
    world = World("03-04 09:59:30")
    order = an_order()
    world.ledger.put(order)
    world.plays[order.order_id] = [Play(AttemptOutcome.REACHED, 120.0, 10.0)]  # rung 09:59:40, talks 09:59:42
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 10:05")
    kept = world.order(order)
    assert (kept.state, kept.overdue_at) == (OrderState.REACHED, None)


def test_talk_that_begins_after_ten_is_frozen_as_late_all_the_same() -> None:
    world = World("03-04 09:59:30")
    order = an_order()
    world.ledger.put(order)
    world.plays[order.order_id] = [Play(AttemptOutcome.REACHED, 120.0, 29.0)]  # rung 09:59:59, talks 10:00:01
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 10:05")
    late = world.order(order)
    assert (late.state, late.overdue_at) == (OrderState.REACHED, moment("03-04 10:00"))
    assert "逾期不足1分钟后才接通" in late.breach_cause


def test_ten_minutes_that_were_promised_and_not_kept_escalate() -> None:
    world = World("03-04 09:00")
    order = an_order()
    world.ledger.put(order)
    world.plays[order.order_id] = [Play(AttemptOutcome.IN_TEN_MINUTES, 20.0), REACHED]
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 09:05")
    assert world.order(order).promised_at == moment("03-04 09:10:20")
    world.go_on_until("03-04 09:11")
    assert world.told_of("promise_broken") == [order.order_id]
    assert world.rung == [("09:00", order.order_id), ("09:10", order.order_id)]


# -- lines and phones -------------------------------------------------------------------------------------------------


def test_never_more_dials_than_free_lines_and_every_order_gets_its_turn() -> None:
    world = World("03-04 09:00")
    orders = [an_order(unit_id="tax" if n % 2 else "market") for n in range(8)]
    world.ledger.put(*orders)
    world.plays = {order.order_id: [REACHED] for order in orders}
    world.free_lines = 3
    world.timetable()
    world.sweep()
    world.go_on_until("03-04 09:20")
    assert world.most_at_once == 3
    assert sorted(order_id for _, order_id in world.rung) == sorted(order.order_id for order in orders)


def test_a_live_caller_s_line_is_not_taken() -> None:
    world = World("03-04 09:00")
    world.ledger.put(an_order())
    world.free_lines = 0
    world.timetable()
    world.sweep()
    assert world.rung == []


# -- after a stop -----------------------------------------------------------------------------------------------------


def test_after_a_stop_across_the_deadline_late_steps_are_recorded_and_skipped_and_the_breach_is_frozen() -> None:
    world = World("03-04 11:00")
    order = an_order()
    world.ledger.put(order)
    world.timetable()
    world.sweep()
    assert [kind for kind, _, _ in world.told] == ["breach"]
    assert world.reminded == []
    late = world.order(order)
    assert late.overdue_at == moment("03-04 10:00")
    skipped = [note["why"] for note in world.ledger.notes(order.order_id, "step_done") if "不再补做" in note["why"]]
    assert len(skipped) == 4  # reminder, second tier, head, leader
    assert world.rung == [("11:00", order.order_id)]


def test_after_a_stop_what_still_helps_is_done_at_once() -> None:
    world = World("03-04 08:55")
    order = an_order()
    world.ledger.put(order)
    world.timetable()
    world.sweep()
    assert world.told_of("reminder") == [order.order_id]
    (note,) = world.ledger.notes(order.order_id, "step_done")
    assert note["why"] == "催办（原定03-04 08:45，补做）"


def test_a_restart_in_the_middle_of_the_morning_repeats_nothing() -> None:
    world = World("03-04 08:00")
    order = an_order()
    world.ledger.put(order)
    first = world.timetable()
    world.sweep(first)
    world.go_on_until("03-04 09:13")
    world.done(first.stop())
    before = (list(world.told), list(world.reminded))
    world.sweep(world.timetable())
    assert (world.told, world.reminded) == before
    world.go_on_until("03-04 10:01")
    steps = world.ledger.done(order.order_id)
    assert len(steps) == len(set(steps))
    assert world.told_of("breach") == [order.order_id]


def test_redis_away_ends_a_sweep_and_the_next_one_makes_up_for_it() -> None:
    world = World("03-04 08:45")
    order = an_order()
    world.ledger.put(order)
    world.ledger.is_away = True
    world.timetable()
    world.sweep()
    assert world.told == []
    world.ledger.is_away = False
    world.sweep()
    assert world.told_of("reminder") == [order.order_id]


# -- several nodes, nodes that die ------------------------------------------------------------------------------------


def test_two_timetables_on_one_store_do_everything_once() -> None:
    world = World("03-04 08:00")
    orders = [an_order() for _ in range(4)]
    world.ledger.put(*orders)
    for timetable in (world.timetable(), world.timetable()):
        world.sweep(timetable)
    world.go_on_until("03-04 10:10")
    for order in orders:
        steps = world.ledger.done(order.order_id)
        assert len(steps) == len(set(steps))
        assert len(world.ledger.notes(order.order_id, "breach_frozen")) == 1
    assert len(world.told_of("breach")) == 4
    assert len(world.rung) == len(set(world.rung))


def orphan(world: World, **changes: Any) -> Order:
    """An order a dead node was calling back for, its lease running still for 30 s."""
    order = an_order()
    world.ledger.put(order)
    lease = world.done(world.ledger.lease(order.order_id, 30.0))
    attempt = replace(_attempt(order), epoch=lease.epoch, **changes)
    world.done(world.ledger.change_order(
        order.order_id, OrderEvent.ATTEMPT_BEGUN, who="timetable", attempt=attempt, epoch=lease.epoch,
        at=world.clock.now(),
    ))  # fmt: skip
    return order


def _attempt(order: Order) -> Attempt:
    return Attempt(attempt_id=order.next_attempt_id, begun_at=moment("03-04 09:00"), by="timetable",
                   number=order.callback_number)  # fmt: skip


def test_an_attempt_is_not_touched_while_its_lease_runs_and_becomes_unknown_after() -> None:
    world = World("03-04 09:00")
    order = orphan(world)
    world.timetable()
    world.sweep()
    assert world.order(order).state is OrderState.CALLING_BACK
    world.time.advance(31)
    world.sweep()
    lost = world.order(order)
    assert (lost.state, lost.attempts[0].outcome) == (OrderState.NOT_REACHED, AttemptOutcome.UNKNOWN)


def test_an_enterprise_that_was_rung_by_a_dead_node_is_not_rung_again_before_a_safe_time() -> None:
    world = World("03-04 09:00")
    order = orphan(world, enterprise_rung_at=moment("03-04 09:00:10"))
    world.timetable()
    world.time.advance(31)
    world.sweep()
    world.go_on_until("03-04 09:15:30")
    assert world.rung == []
    world.go_on_until("03-04 09:16")
    assert world.rung == [("09:15", order.order_id)]


def test_a_node_that_lost_its_lease_writes_its_proof_afterwards_and_nobody_is_rung_again() -> None:
    world = World("03-04 09:00")
    order = an_order()
    world.ledger.put(order)
    world.plays[order.order_id] = [Play(AttemptOutcome.REACHED, 300.0, 10.0)]
    paused = world.timetable()
    world.sweep(paused)
    world.time.advance(11)
    # the node stands still: nobody renews, and another one takes over
    del world.ledger._leases[order.order_id]
    other = world.timetable()
    world.sweep(other)
    assert world.order(order).attempts[0].outcome is AttemptOutcome.UNKNOWN
    world.go_on_until("03-04 09:10")
    kept = world.order(order)
    assert (kept.state, kept.attempts[0].outcome) == (OrderState.REACHED, AttemptOutcome.REACHED)
    assert len(world.rung) == 1


def test_a_callback_that_breaks_is_ended_as_that_of_a_dead_node_is(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World("03-04 09:00")
    order = an_order(callback_number="13900009999")
    world.ledger.put(order)

    async def broken(*_: object) -> Any:
        raise RuntimeError("a fault in a flow")

    monkeypatch.setattr(world, "_ring_back", broken)
    world.timetable()
    world.sweep()
    world.sweep()
    assert world.order(order).attempts[0].outcome is AttemptOutcome.UNKNOWN
