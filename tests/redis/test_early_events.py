"""Events that come before their turn: put by, applied when it is theirs, and counted like all others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
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
TALK = Evidence(
    call_id="c-9", unit_number="6111", unit_answered_at=MORNING, accepted_at=MORNING, enterprise_number="1",
    enterprise_answered_at=MORNING + timedelta(seconds=9), talk_began_at=MORNING + timedelta(seconds=9), two_way_s=42.0,
)  # fmt: skip


@pytest.fixture
def apply(store: Store) -> Applying:
    return Applying(store)


def change(order: Order, event: OrderEvent, attempt: Attempt) -> JournalEvent:
    payload = life.changed(order, event, who=TIMETABLE, why="", changes=None, attempt=attempt, at=MORNING)
    return JournalEvent.new("order_changed", payload, MORNING)


def put_by(store: Store, apply: Applying) -> JournalEvent:
    """Let the end of a callback come before its beginning, from the journal of another node; return the beginning."""
    apply(opened(NUMBER, draft("1")))
    order = store.orders.order(NUMBER)
    assert order is not None
    attempt = Attempt(
        attempt_id=order.next_attempt_id, begun_at=MORNING, by=BegunBy.TIMETABLE, number="1", unit_number="6111"
    )
    began = change(order, OrderEvent.ATTEMPT_BEGUN, attempt)
    during = replace(order, state=OrderState.CALLING_BACK, version=order.version + 1)
    ended = replace(
        attempt, outcome=AttemptOutcome.REACHED, ended_at=MORNING + timedelta(seconds=60), evidence=TALK
    )  # fmt: skip
    Applying(store, "another node's")(change(during, OrderEvent.REACHED, ended))
    assert store.orders.order(NUMBER) == order
    return began


def as_an_earlier_version_put_it_by(store: Store) -> None:
    """Take the facts out of what waits: apply.lua had none to put by before they were judged outside of it."""
    name = store.key("early", NUMBER)
    (waiting,) = store.ask(lambda redis: redis.lrange(name, 0, -1))
    store.ask(lambda redis: redis.lset(name, 0, json.dumps(json.loads(waiting)[:5])))


def facts(store: Store) -> Any:
    return order_facts(json.loads(store.ask(lambda redis: redis.hget(store.key("order_facts"), NUMBER))))


def test_what_waits_is_applied_and_counted_when_its_turn_comes(store: Store, apply: Applying) -> None:
    apply(put_by(store, apply))
    order = store.orders.order(NUMBER)
    assert order is not None
    assert (order.state, facts(store).tries[0].outcome) == (OrderState.REACHED, "reached")


def test_what_an_earlier_version_put_by_is_counted_like_all_others(store: Store, apply: Applying) -> None:
    began = put_by(store, apply)
    as_an_earlier_version_put_it_by(store)
    assert store.early.judge() == 1
    assert store.early.judge() == 0, "once is enough"
    apply(began)
    (talk,) = facts(store).tries
    assert (talk.outcome, talk.talk_ms) == ("reached", milliseconds(MORNING + timedelta(seconds=9)))


def test_a_store_where_nothing_waits_is_looked_at_once(store: Store) -> None:
    assert store.early.judge() == 0
    assert store.ask(lambda redis: redis.exists(store.key("early_events_judged")))
