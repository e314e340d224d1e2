"""The life of an order in ledger and store: each event once, from the state it was made for, and all of it told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater

from callback_scheduler.errors import (
    FencedOff,
    IllegalTransition,
    JournalFull,
    NotProved,
    StaleOrder,
    StoreUnavailable,
    UnknownOrder,
)
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Order
from callback_scheduler.orders.states import OrderEvent as E
from callback_scheduler.orders.states import OrderState as S
from tests.redis.nodes import EVENING, Node, draft, wait_until

NINE = EVENING + timedelta(hours=13)
DUE = EVENING + timedelta(hours=14)


class OneOrder:
    """An order of a running node, and what happens to it, a minute apart."""

    def __init__(self, node: Node, number: str = "13800000001", **fields: Any) -> None:
        self.node = node
        self.order_id = node.open_order(number, **fields).order_id
        self.minutes = 0

    def happens(self, event: E, **about: Any) -> Order:
        self.minutes += 1
        about = {"who": "timetable", "at": NINE + timedelta(minutes=self.minutes)} | about
        order: Order = self.node._in_reactor(self.node.ledger.orders.change_order, self.order_id, event, **about)
        return order

    def note(self, note: str, **about: Any) -> Order:
        about = {"who": "timetable", "at": NINE} | about
        order: Order = self.node._in_reactor(self.node.ledger.orders.note_order, self.order_id, note, **about)
        return order

    def now(self) -> Order:
        order: Order = self.node.ask("orders.order", self.order_id)
        return order


@pytest.fixture
def order(node: Node) -> OneOrder:
    node.start(node_number=2)
    return OneOrder(node)


def attempt(order: Order, **fields: Any) -> Attempt:
    begun: dict[str, Any] = {
        "attempt_id": order.next_attempt_id, "begun_at": NINE, "by": "timetable", "number": order.callback_number
    }  # fmt: skip
    return Attempt(**(begun | fields))


def evidence(two_way_s: float = 42.125) -> Evidence:
    return Evidence(
        call_id="c-9",
        unit_number="62340001",
        unit_answered_at=NINE,
        accepted_at=NINE + timedelta(seconds=4),
        enterprise_number="13800000001",
        enterprise_answered_at=NINE + timedelta(seconds=15),
        talk_began_at=NINE + timedelta(seconds=16),
        two_way_s=two_way_s,
        recording="recordings/c-9.wav",
    )


def ids(orders: list[Order]) -> list[str]:
    return [order.order_id for order in orders]


def due(node: Node) -> list[str]:
    return ids(node.ask("orders.due_before", DUE + timedelta(days=99)))


def test_an_order_that_is_kept_carries_who_did_what_when(order: OneOrder) -> None:
    order.happens(E.SENT)
    order.happens(E.ACKNOWLEDGED, who="unit:tax:王")
    begun = order.happens(E.ATTEMPT_BEGUN, attempt=attempt(order.now()))
    assert begun.attempts == (attempt(order.now(), attempt_id=f"{order.order_id}-a1"),)
    done = attempt(begun, attempt_id=begun.attempts[0].attempt_id, outcome=AttemptOutcome.REACHED, evidence=evidence())
    reached = order.happens(E.REACHED, attempt=done)
    assert (reached.state, reached.attempts) == (S.REACHED, (done,))
    assert reached.reached_at == evidence().talk_began_at
    assert (reached.sent_at, reached.acknowledged_at) == (NINE + timedelta(minutes=1), NINE + timedelta(minutes=2))
    assert reached.acknowledged_by == "unit:tax:王"
    closed = order.happens(E.CLOSED, changes={"survey_level": 5, "is_solved": True})
    assert (closed.state, closed.survey_level, closed.is_solved) == (S.CLOSED, 5, True)
    assert closed.closed_at == NINE + timedelta(minutes=5)
    assert closed == order.now()
    assert due(order.node) == []


def test_why_an_order_waits_for_a_person_is_kept_from_its_first_moment_and_goes_when_one_has_looked(
    node: Node,
) -> None:
    node.start(node_number=2)
    held = OneOrder(node, hold_reason="other_numbers_of_caller", caller_number="13500000001")
    assert held.now().hold_reason == "other_numbers_of_caller"
    assert held.now().is_for_another_number
    assert OneOrder(node, "13800000002").now().hold_reason == ""
    assert held.note("released", changes={"hold_reason": ""}).hold_reason == ""
    assert held.now().hold_reason == ""


def test_the_timeline_tells_every_event_from_to_and_why(order: OneOrder) -> None:
    order.node.open_order("13800000001", call_id="again")
    order.happens(E.SENT)
    order.note("step_done", changes={"steps_done": {"REMINDER"}})
    order.happens(E.RETURNED, who="unit:tax:王", why="不属本单位职责")
    events = order.node.ask("orders.order_events", order.order_id)
    assert [event["type"] for event in events] == [
        "order_opened", "order_opened", "order_changed", "order_noted", "order_changed",
    ]
    returned = events[-1]
    assert returned["at"] == (NINE + timedelta(minutes=2)).isoformat()
    told = {name: returned["payload"][name] for name in ("event", "state_from", "state_to", "who", "why", "node")}
    assert told == {
        "event": "returned", "state_from": "sent", "state_to": "returned", "who": "unit:tax:王",
        "why": "不属本单位职责", "node": 2,
    }
    history = order.node.ask("history", "order_changed", "order_noted")
    assert [event.event_id for event in history] == [event["event_id"] for event in events[2:]]


def test_an_event_that_has_no_place_is_refused_before_anything_is_written(order: OneOrder) -> None:
    with pytest.raises(IllegalTransition):
        order.happens(E.REACHED, attempt=attempt(order.now(), evidence=evidence()))
    with pytest.raises(UnknownOrder):
        order.node._in_reactor(order.node.ledger.orders.change_order, "26030399999", E.SENT, who="x", at=NINE)
    with pytest.raises(ValueError, match="no event changes colour"):
        order.note("x", changes={"colour": "red"})
    assert order.node.ask("history", "order_changed", "order_noted") == []


@pytest.mark.parametrize("proof", [None, evidence(two_way_s=9.9)], ids=["no evidence", "talk too short"])
def test_an_order_is_not_reached_without_evidence(order: OneOrder, proof: Evidence | None) -> None:
    order.happens(E.ATTEMPT_BEGUN)
    with pytest.raises(NotProved):
        order.happens(E.REACHED, attempt=attempt(order.now(), evidence=proof))
    assert order.now().state is S.CALLING_BACK


def test_a_change_made_on_a_stale_picture_is_refused_and_stays_so_after_a_rebuild(order: OneOrder) -> None:
    node = order.node
    real = node.ledger._store.orders.order
    seen = real(order.order_id)
    order.happens(E.SENT)
    order.happens(E.ACKNOWLEDGED)
    looks = iter([seen])
    node.ledger._store.orders.order = lambda order_id: next(looks, None) or real(order_id)  # type: ignore[method-assign]
    with pytest.raises(StaleOrder, match="was opened, and is acknowledged"):
        order.happens(E.CLOSED)
    assert order.now().state is S.ACKNOWLEDGED
    rebuilt(order)
    assert len(node.ask("history", "event_refused")) == 1


@pytest.mark.parametrize("is_full", [False, True])
def test_a_refusal_is_told_when_it_is_on_disk_and_nothing_is_said_for_sure_if_it_is_not(
    order: OneOrder, monkeypatch: pytest.MonkeyPatch, is_full: bool
) -> None:
    ledger, real, append = order.node.ledger, order.node.ledger._store.orders.order, order.node.ledger._journal.append
    looks, told = iter([real(order.order_id)]), list[Any]()
    held: Deferred[int] = Deferred()
    order.happens(E.SENT)
    order.happens(E.ACKNOWLEDGED)
    noting: list[JournalEvent] = []

    def hold(event: JournalEvent) -> Deferred[int]:
        if event.event_type != "event_refused":
            return append(event)
        noting.append(event)
        return held

    async def closes() -> None:
        closing = ensureDeferred(ledger.orders.change_order(order.order_id, E.CLOSED, who="x", at=NINE))
        closing.addBoth(lambda failure: told.append(failure.type))
        for _ in range(500):
            if noting:
                break
            await deferLater(reactor, 0.01)
        assert (len(noting), told) == (1, [])
        if is_full:
            held.errback(JournalFull("no space left"))
        else:
            held.callback(99)
        assert told == [StoreUnavailable if is_full else StaleOrder]

    monkeypatch.setattr(ledger._store.orders, "order", lambda order_id: next(looks, None) or real(order_id))
    monkeypatch.setattr(ledger._journal, "append", hold)
    order.node._in_reactor(closes)


def rebuilt(order: OneOrder) -> None:
    """Empty Redis, and look whether the journal gives the same order again."""
    node = order.node
    node.settle()
    before, told = order.now(), node.ask("orders.order_events", order.order_id)
    refused = node.ledger._store.refused()
    node.ledger._store._redis.flushall()
    wait_until(lambda: node.ledger.status()["redis"]["rebuilds"] == 1)
    node.settle()
    assert order.now() == before
    assert node.ask("orders.order_events", order.order_id) == told
    assert node.ledger._store.refused() == refused


def test_an_event_counts_once_however_often_it_is_sent(order: OneOrder) -> None:
    order.happens(E.SENT)
    order.happens(E.RETURNED, why="x")
    node = order.node
    journal, store = node.ledger._journal, node.ledger._store
    before = order.now()
    node.settle()
    for position, event in journal.replay():
        (outcome,) = store.apply(journal.journal_id, [(position, event)])
        assert outcome.status == "seen"
    assert order.now() == before
    assert before.returns == 1


def test_a_returned_order_goes_to_another_unit_with_its_deadline_unmoved(order: OneOrder) -> None:
    order.happens(E.SENT)
    order.happens(E.ACKNOWLEDGED, who="unit:tax:王")
    returned = order.happens(E.RETURNED, who="unit:tax:王", why="不属本单位")
    assert (returned.returns, returned.return_reason) == (1, "不属本单位")
    sent_on = order.happens(E.REASSIGNED, who="city", changes={"unit_id": "licence-office"})
    assert (sent_on.state, sent_on.unit_id, sent_on.units_before) == (S.SENT, "licence-office", ("tax-bureau",))
    assert sent_on.deadline == draft("1").deadline
    assert sent_on.sent_at == NINE + timedelta(minutes=4)
    assert (sent_on.acknowledged_at, sent_on.acknowledged_by) == (None, "")
    again = order.happens(E.REASSIGNED, who="city", changes={"unit_id": "tax-bureau"})
    assert again.units_before == ("tax-bureau", "licence-office")
    assert due(order.node) == [order.order_id]
    with pytest.raises(ValueError, match="deadline does not move"):
        order.happens(E.REASSIGNED, changes={"unit_id": "x", "deadline": again.deadline})


def test_steps_and_messages_are_added_to_and_can_be_emptied(order: OneOrder) -> None:
    order.note("step_done", changes={"steps_done": {"DIGEST"}})
    order.note("message_added", who="caller", changes={"messages": ("m1.wav",)})
    noted = order.note("step_done", changes={"steps_done": {"DIGEST", "REMINDER"}, "messages": ("m2.wav",)})
    assert noted.steps_done == {"DIGEST", "REMINDER"}
    assert noted.messages == ("m1.wav", "m2.wav")
    assert order.note("redated", changes={"steps_done": None}).steps_done == frozenset()


def test_a_redated_order_is_found_by_its_new_deadline_only(order: OneOrder) -> None:
    later = draft("1", after=timedelta(days=3)).deadline
    noted = order.note("redated", changes={"deadline": later, "original_due_at": order.now().due_at})
    assert (noted.deadline, noted.original_due_at) == (later, DUE)
    assert order.node.ask("orders.due_before", DUE) == []
    assert ids(order.node.ask("orders.due_before", later.due_at)) == [order.order_id]


def test_a_repeated_call_finds_an_order_by_its_new_number_and_no_more_by_the_old(order: OneOrder) -> None:
    node = order.node
    order.note("number_changed", who="caller", changes={"callback_number": "13900000009"})
    assert node.open_order("13900000009", call_id="again").order_id == order.order_id
    assert ids(node.ask("orders.open_orders_of", "13900000009")) == [order.order_id]
    assert ids(node.ask("orders.open_orders_of", "13800000001")) == [order.order_id]  # it may ring from its old phone
    assert not node.open_order("13800000001", call_id="new").was_merged


def test_a_closed_order_is_owed_no_more_and_a_reopened_one_is_again(order: OneOrder) -> None:
    node = order.node
    order.happens(E.CLOSED, who="operator")
    assert (due(node), node.ask("orders.open_orders_of", "13800000001")) == ([], [])
    newer = OneOrder(node, call_id="newer")
    assert newer.order_id != order.order_id
    reopened = order.happens(E.REOPENED, who="operator")
    assert (reopened.state, reopened.closed_at) == (S.OPENED, None)
    assert ids(node.ask("orders.open_orders_of", "13800000001")) == [newer.order_id, order.order_id]
    newer.happens(E.CLOSED, who="operator")
    assert node.open_order("13800000001", call_id="third").order_id == order.order_id  # it is the open one again
    assert due(node) == [order.order_id]


def test_orders_of_a_period_come_oldest_first_and_the_end_is_not_included(node: Node) -> None:
    node.start()
    opened = [node.open_order(str(n), after=timedelta(hours=n)).order_id for n in range(4)]
    found = node.ask("orders.all_orders", EVENING + timedelta(hours=1), EVENING + timedelta(hours=3))
    assert ids(found) == opened[1:3]
    assert ids(node.ask("orders.open_orders", 2)) == opened[:2]


def test_without_redis_nothing_is_changed_and_the_caller_is_told(order: OneOrder) -> None:
    order.node.embedded.stop()
    with pytest.raises(StoreUnavailable):
        order.happens(E.SENT)
    assert order.node.ask("history", "order_changed") == []


class TestLeases:
    """One node at a time works on an order, and a late one is kept off."""

    def test_a_lease_is_held_by_one_renewed_released_and_the_next_has_a_higher_epoch(self, order: OneOrder) -> None:
        ask = order.node.ask
        first = ask("orders.lease", order.order_id, 30)
        assert ask("orders.lease", order.order_id, 30) is None
        assert ask("orders.renew", first)
        assert ask("orders.release", first)
        assert not ask("orders.release", first)
        assert not ask("orders.renew", first)
        second = ask("orders.lease", order.order_id, 30)
        assert second.epoch > first.epoch
        assert not ask("orders.renew", first)
        assert not ask("orders.release", first)
        assert ask("orders.renew", second)

    def test_a_lease_that_is_not_renewed_ends_by_the_clock_of_redis(self, order: OneOrder) -> None:
        ask = order.node.ask
        first = ask("orders.lease", order.order_id, 0.2)
        wait_until(lambda: ask("orders.lease", order.order_id, 30) is not None)
        assert not ask("orders.renew", first)

    def test_whoever_lost_his_lease_changes_nothing_more(self, order: OneOrder) -> None:
        ask = order.node.ask
        first = ask("orders.lease", order.order_id, 30)
        order.happens(E.ATTEMPT_BEGUN, epoch=first.epoch, attempt=attempt(order.now(), epoch=first.epoch))
        ask("orders.release", first)
        second = ask("orders.lease", order.order_id, 30)
        before = order.now()
        lates: tuple[Callable[[], object], ...] = (
            lambda: order.happens(E.ATTEMPT_FAILED, epoch=first.epoch),
            lambda: order.note("attempt_phase", epoch=first.epoch, attempt=attempt(before, attempt_id="x")),
        )
        for late in lates:
            with pytest.raises(FencedOff, match="is over"):
                late()
        assert order.now() == before
        assert len(order.node.ledger._store.refused()) == 2
        assert order.happens(E.ATTEMPT_FAILED, epoch=second.epoch).state is S.NOT_REACHED
        rebuilt(order)  # there is no lease in the journal, but who was refused

    def test_an_epoch_is_not_given_again_after_redis_was_lost(self, order: OneOrder) -> None:
        first = order.node.ask("orders.lease", order.order_id, 30)
        order.happens(E.ATTEMPT_BEGUN, epoch=first.epoch)
        rebuilt(order)
        assert order.node.ask("orders.lease", order.order_id, 30).epoch > first.epoch

    def test_a_clock_set_back_keeps_no_lease_longer_than_it_was_given_for(self, order: OneOrder) -> None:
        node, store = order.node, order.node.ledger._store
        node.ask("orders.lease", order.order_id, 0.2)
        lease = store.key("lease", order.order_id)
        for name in ("since_ms", "until_ms"):  # as if Redis's clock had been an hour ahead
            store._redis.hincrby(lease, name, 3_600_000)
        assert node.ask("orders.lease", order.order_id, 30) is None
        wait_until(lambda: node.ask("orders.lease", order.order_id, 30) is not None)

    def test_a_merged_number_leases_the_order_it_counts_as(self, order: OneOrder) -> None:
        again = OneOrder(order.node, call_id="again")
        assert again.order_id == order.order_id
        merged = f"{order.order_id[:-1]}2"
        assert order.node.ask("orders.lease", order.order_id, 30) is not None
        assert order.node.ask("orders.lease", merged, 30) is None


def test_nonsense_about_an_order_is_refused_whole(order: OneOrder) -> None:
    journal, store = order.node.ledger._journal, order.node.ledger._store
    before = order.now()
    for payload in (
        {"order_id": order.order_id},
        {"order_id": order.order_id, "note": "x", "changes": {"steps_done": "DIGEST"}},
        {"order_id": order.order_id, "note": "x", "changes": {}, "attempt": {"evidence": 7}},
    ):
        event = JournalEvent.new("order_noted", payload, NINE)
        (outcome,) = store.apply(journal.journal_id, [(store.applied(journal.journal_id) + 1, event)])
        assert outcome.status == "refused", payload
    assert order.now() == before
    assert due(order.node) == [order.order_id]
