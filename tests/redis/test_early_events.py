"""Events that come before their turn: put by, applied when it is theirs, and counted like all others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders import life
from callback_scheduler.orders.actor import TIMETABLE
from callback_scheduler.orders.order import Attempt, AttemptOutcome, BegunBy, Evidence, Order
from callback_scheduler.orders.states import OrderEvent, OrderState
from callback_scheduler.orders.verdict import milliseconds
from callback_scheduler.reports.reader import order_facts
from callback_scheduler.store.store import Store
from tests.redis.nodes import EVENING, draft
from tests.redis.test_store import Applying, opened

NUMBER, MORNING = "26030310001", EVENING + timedelta(hours=13)
TALK_BEGAN = MORNING + timedelta(seconds=9)
# The script of the version before facts were judged outside of it.
EARLIER = Path(__file__).with_name("apply_before_facts.lua").read_text(encoding="utf-8")
TALK = Evidence(
    call_id="c-9", unit_number="6111", unit_answered_at=MORNING, accepted_at=MORNING, enterprise_number="1",
    enterprise_answered_at=TALK_BEGAN, talk_began_at=TALK_BEGAN, two_way_s=42.0,
)  # fmt: skip


@pytest.fixture
def apply(store: Store) -> Applying:
    return Applying(store)


def change(order: Order, event: OrderEvent, attempt: Attempt) -> JournalEvent:
    payload = life.changed(order, event, who=TIMETABLE, why="", changes=None, attempt=attempt, at=MORNING)
    return JournalEvent.new("order_changed", payload, MORNING)


def callback(store: Store, number: str = NUMBER) -> tuple[Order, JournalEvent, JournalEvent]:
    """Open an order; return it, and beginning and end of the callback that another node places for it."""
    Applying(store)(opened(number, draft(number)))
    order = store.orders.order(number)
    assert order is not None
    attempt = Attempt(
        attempt_id=order.next_attempt_id, begun_at=MORNING, by=BegunBy.TIMETABLE, number="1", unit_number="6111"
    )
    began = change(order, OrderEvent.ATTEMPT_BEGUN, attempt)
    during = replace(order, state=OrderState.CALLING_BACK, version=order.version + 1)
    ended = replace(
        attempt, outcome=AttemptOutcome.REACHED, ended_at=MORNING + timedelta(seconds=60), evidence=TALK
    )  # fmt: skip
    return order, began, change(during, OrderEvent.REACHED, ended)


def apply_by_the_earlier_version(store: Store, event: JournalEvent) -> None:
    """Apply an event as a node does whose script judged by itself, and put no facts by; it stands beside us."""
    journal = "the earlier version's"
    position = store.applied(journal) + 1
    head = [store.key(), journal, position, event.event_id, event.event_type, milliseconds(event.at)]
    rest = [json.dumps(event.payload, ensure_ascii=False), "", 1000, "chain"]
    answer = store.ask(lambda redis: redis.eval(EARLIER, 0, *head, *rest))
    assert answer[0] == "applied", answer


def waiting(store: Store, number: str = NUMBER) -> list[int]:
    """Return how many fields each event has that waits for its turn."""
    events = store.ask(lambda redis: redis.lrange(store.key("early", number), 0, -1))
    return [len(json.loads(event)) for event in events]


def facts(store: Store, number: str = NUMBER) -> Any:
    return order_facts(json.loads(store.ask(lambda redis: redis.hget(store.key("order_facts"), number))))


def test_what_waits_is_applied_and_counted_when_its_turn_comes(store: Store, apply: Applying) -> None:
    before, began, ended = callback(store)
    Applying(store, "another node's")(ended)
    assert store.orders.order(NUMBER) == before
    apply(began)
    order = store.orders.order(NUMBER)
    assert order is not None
    assert (order.state, facts(store).tries[0].outcome) == (OrderState.REACHED, "reached")


def test_what_a_node_of_an_earlier_version_puts_by_is_counted_whenever_it_does(store: Store, apply: Applying) -> None:
    _, began, ended = callback(store)
    apply(opened("26030310009", draft("9")))  # this version has been at work for long
    apply_by_the_earlier_version(store, ended)
    assert waiting(store) == [5], "the earlier version puts no facts by"
    outcomes = apply(opened("26030310008", draft("8")), began, opened("26030310007", draft("7")))
    assert [outcome.order_id for outcome in outcomes] == ["26030310008", NUMBER, "26030310007"]
    (talk,) = facts(store).tries
    assert (talk.outcome, talk.talk_ms) == ("reached", milliseconds(TALK_BEGAN))
    assert store.refused() == {}


def test_a_second_event_put_by_without_facts_is_judged_like_the_first(store: Store, apply: Applying) -> None:
    for number in ("26030310001", "26030310002"):
        _, began, ended = callback(store, number)
        apply_by_the_earlier_version(store, ended)
        apply(began)
        assert facts(store, number).tries[0].outcome == "reached", number
        assert waiting(store, number) == []


def test_what_came_before_its_order_was_opened_is_judged_when_it_is(store: Store, apply: Applying) -> None:
    _, began, ended = callback(Store(store.ask(lambda redis: redis), prefix="elsewhere:"))
    for early in (began, ended):
        apply_by_the_earlier_version(store, early)
    apply(opened(NUMBER, draft("1")))
    assert facts(store).tries[0].outcome == "reached"
