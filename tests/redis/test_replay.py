"""Whatever happens to orders, the journal read again into an empty Redis gives the same store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders import life as order_life
from callback_scheduler.orders.evidence import proving
from callback_scheduler.orders.fields import to_payload
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Order
from callback_scheduler.orders.states import TRANSITIONS, OrderEvent, OrderState
from callback_scheduler.orders.verdict import facts_of
from callback_scheduler.reports.reader import order_facts
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.store.store import Store
from tests.redis.nodes import EVENING, draft

PHONES = ["13800000001", "13800000002", "02162340000"]
UNITS = ["tax-bureau", "licence-office"]


class World:
    """A live store, the events it was given, and a second store to read them into."""

    def __init__(self, server: EmbeddedRedis) -> None:
        self.live, self.again = (Store.connect(server.url, prefix=prefix) for prefix in ("live:", "again:"))
        self.begin()

    def begin(self) -> None:
        self.live._redis.flushall()
        self.events: list[JournalEvent] = []
        self.refused = 0

    def apply(self, event_type: str, payload: dict[str, Any]) -> None:
        at = EVENING + timedelta(minutes=len(self.events))
        self.events.append(JournalEvent.new(event_type, payload, at))
        (outcome,) = self.live.apply("j", [(len(self.events), self.events[-1])])
        self.refused += outcome.status == "refused"

    def open(self, phone: str, matter: str) -> None:
        at = timedelta(minutes=len(self.events))
        self.apply("order_opened", to_payload(draft(phone, matter, after=at), f"2603031{len(self.events):04d}"))

    def change(self, order: Order, event: OrderEvent, unit: str, epoch: int | None) -> None:
        at = EVENING + timedelta(minutes=len(self.events))
        changes = {"unit_id": unit} if event is OrderEvent.REASSIGNED else {}
        payload = order_life.changed(
            order, event, who="city", why="因为", changes=changes, attempt=attempt_for(order, event), at=at
        )
        self.apply("order_changed", payload | {"node": 1, "epoch": epoch})

    def note(self, order: Order, changes: dict[str, Any], epoch: int | None) -> None:
        payload = order_life.noted(order, who="caller", why="", changes=changes, attempt=None)
        self.apply("order_noted", payload | {"note": "x", "node": 1, "epoch": epoch})

    def replay(self) -> None:
        for first in range(0, len(self.events), 7):
            self.again.apply("j", list(enumerate(self.events[first : first + 7], start=first + 1)))

    def dump(self, store: Store) -> dict[str, Any]:
        """Everything a store holds, by key."""
        client, found = store._redis, {}
        for key in sorted(client.keys(store.key("*"))):
            kind = client.type(key)
            read = {"string": client.get, "hash": client.hgetall, "set": client.smembers}.get(kind)
            if kind == "zset":
                value: Any = client.zrange(key, 0, -1, withscores=True)
            elif kind == "list":
                value = client.lrange(key, 0, -1)
            else:
                assert read is not None, (key, kind)
                value = read(key)
            found[key.removeprefix(store.key(""))] = _plain(value)
        return found


def _plain(value: Any) -> Any:
    """JSON as what it means: which field comes first in it, Lua does not promise."""
    if isinstance(value, str) and value[:1] in "[{":
        return json.loads(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def attempt_for(order: Order, event: OrderEvent) -> Attempt | None:
    at = EVENING + timedelta(hours=13, seconds=len(order.attempts))
    if event is OrderEvent.ATTEMPT_BEGUN:
        number = order.callback_number
        return Attempt(attempt_id=order.next_attempt_id, begun_at=at, by="timetable", number=number)
    if event not in {OrderEvent.REACHED, OrderEvent.ATTEMPT_FAILED} or not order.attempts:
        return None
    is_reached = event is OrderEvent.REACHED
    evidence = Evidence(
        call_id="c", unit_number="1", accepted_at=at, enterprise_answered_at=at, talk_began_at=at,
        two_way_s=12.3456 if is_reached else 3.0,
    )
    outcome = AttemptOutcome.REACHED if is_reached else AttemptOutcome.TALK_TOO_SHORT
    last = order.attempts[-1]
    return Attempt(
        attempt_id=last.attempt_id, begun_at=last.begun_at, by=last.by, number=last.number, outcome=outcome,
        ended_at=at, evidence=evidence,
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("replay"))
    server.start()
    made = World(server)
    yield made
    for store in (made.live, made.again):
        store.close()
    server.stop()


EPOCHS = st.sampled_from([None, None, None, 1, 2, 3])
HAPPENINGS = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(PHONES), st.sampled_from(["tax", "licence"])),
    st.tuples(st.just("change"), st.integers(0, 9), st.integers(0, 9), st.sampled_from(UNITS), EPOCHS, st.booleans()),
    st.tuples(
        st.just("note"),
        st.integers(0, 9),
        st.sampled_from([
            {"steps_done": ["REMINDER"]}, {"steps_done": ["HEAD", "DIGEST"]}, {"steps_done": None},
            {"callback_number": PHONES[0]}, {"callback_number": PHONES[2]}, {"messages": ["m.wav"]},
            {"deadline": draft("1", after=timedelta(days=3)).deadline},
            {"overdue_at": EVENING, "breach_cause": "无人接听"},
            {"promised_at": EVENING, "dial_after": None},
        ]),
        EPOCHS,
    ),
)


def play(world: World, happenings: list[tuple[Any, ...]]) -> None:
    """Let things happen; a stale change is made on a picture of one change before."""
    before: dict[str, Order] = {}
    for kind, *about in [("open", PHONES[0], "tax"), *happenings]:
        if kind == "open":
            world.open(*about)
            continue
        orders = world.live.orders.latest(1000)
        order = orders[about[0] % len(orders)]
        if kind == "note":
            world.note(order, *about[1:])
            continue
        _, choice, unit, epoch, is_stale = about
        picture = before.get(order.order_id, order) if is_stale else order
        possible = [event for state, event in TRANSITIONS if state is picture.state]
        if possible:
            before[order.order_id] = order
            world.change(picture, possible[choice % len(possible)], unit, epoch)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HAPPENINGS, min_size=5, max_size=40))
def test_the_journal_read_again_gives_the_same_store(world: World, happenings: list[tuple[Any, ...]]) -> None:
    world.begin()
    play(world, happenings)
    world.replay()
    assert world.dump(world.again) == world.dump(world.live)
    check(world)


CHANGES = st.tuples(st.integers(0, 2), st.integers(0, 9), st.sampled_from(UNITS), st.booleans())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CHANGES, min_size=5, max_size=40))
def test_journals_of_two_nodes_give_the_same_store_whichever_is_read_first(
    world: World, happenings: list[tuple[int, int, str, bool]]
) -> None:
    world.begin()
    for phone in PHONES:
        world.open(phone, "tax")
    journals: dict[str, list[JournalEvent]] = {"first node": list(world.events), "second node": []}
    for which, choice, unit, is_second in happenings:
        order = world.live.orders.latest()[which]
        possible = [event for state, event in TRANSITIONS if state is order.state and event is not OrderEvent.MERGED]
        world.change(order, possible[choice % len(possible)], unit, None)
        journals["second node" if is_second else "first node"].append(world.events[-1])
    for name in ("second node", "first node"):
        world.again.apply(name, list(enumerate(journals[name], start=1)))
    assert orders_in(world.dump(world.again)) == orders_in(world.dump(world.live))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HAPPENINGS, min_size=5, max_size=30), st.lists(HAPPENINGS, max_size=10))
def test_the_facts_that_reports_count_are_those_of_the_orders_whatever_version_wrote_before(
    world: World, happenings: list[tuple[Any, ...]], later: list[tuple[Any, ...]]
) -> None:
    world.begin()
    play(world, happenings)
    check_facts(world.live)
    forget_facts_in_documents(world.live)
    check_facts(world.live)
    play(world, later)
    check_facts(world.live)


def check_facts(store: Store) -> None:
    """The facts in Redis are those that are computed from the orders as they are read."""
    lines = store.records.facts("order", EVENING - timedelta(days=1), EVENING + timedelta(days=9))
    kept = {facts.order_id: facts for facts in map(order_facts, lines)}
    assert kept == {order.order_id: facts_of(order) for order in store.orders.latest(1000)}


def forget_facts_in_documents(store: Store) -> None:
    """Leave the orders as a version left them that kept facts beside them only."""
    for key in store._redis.keys(store.key("order", "2603031????")):
        document = json.loads(store._redis.get(key))
        for name in ("facts_at", "tries", "opened_ms", "acknowledged_ms", "self_reported_ms"):
            document.pop(name, None)
        store._redis.set(key, json.dumps(document))


def orders_in(dump: dict[str, Any]) -> dict[str, Any]:
    """All of a store but what it knows of single journals."""
    return {key: value for key, value in dump.items() if key.partition(":")[0] not in {"applied", "chain", "seen"}}


def check(world: World) -> None:
    """What is true of any store."""
    orders = world.live.orders.latest(1000)
    numbers = {event.payload["order_id"] for event in world.events if event.event_type == "order_opened"}
    counted = [order.order_id for order in orders] + [call.order_id for order in orders for call in order.merged_calls]
    assert sorted(counted) == sorted(numbers)
    by_deadline = world.live.orders.open_orders(1000)
    assert {order.order_id for order in by_deadline} == {order.order_id for order in orders if order.state.is_open}
    assert by_deadline == sorted(by_deadline, key=lambda order: (order.due_at, order.order_id))
    for order in orders:
        known_by = {order.callback_number, order.caller_number}
        assert all((order in world.live.orders.open_orders_of(phone)) == order.state.is_open for phone in known_by)
        assert (order.reached_at is not None) == (proving(order.attempts) is not None)
        assert order.state is not OrderState.REACHED or order.reached_at is not None
    counting = sum(len(world.live.orders.order_events(order.order_id)) for order in orders)
    assert counting == len(world.events) - world.refused
