"""Lists of orders by unit, state, time and phone: whole, in order, page by page, quick among a hundred thousand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders.fields import from_fields, to_payload
from callback_scheduler.orders.states import OrderEvent as E
from callback_scheduler.orders.states import OrderState as S
from callback_scheduler.store.search import OrderFilter
from callback_scheduler.store.store import Store
from tests.redis.nodes import EVENING, Node, draft

NINE = EVENING + timedelta(hours=13)
UNITS = ("tax", "market", "labour")


class Shelf:
    """A running node with an order a minute, of three units by turns; `ids` oldest first."""

    def __init__(self, node: Node, count: int = 9) -> None:
        self.node = node
        node.start()
        self.ids = [
            node.open_order(
                f"1380000{n:04}", unit_id=UNITS[n % 3], matter_id=UNITS[n % 3], opened_at=EVENING + timedelta(minutes=n)
            ).order_id
            for n in range(count)
        ]

    def happens(self, order_id: str, event: E, **about: Any) -> None:
        self.node._in_reactor(self.node.ledger.orders.change_order, order_id, event, who="x", at=NINE, **about)

    def find(self, **asked: Any) -> list[str]:
        return [order.order_id for order in self.node.ask("orders.find_orders", OrderFilter(**asked))]

    def places(self, **asked: Any) -> list[int]:
        return [self.ids.index(order_id) for order_id in self.find(**asked)]


@pytest.fixture
def shelf(node: Node) -> Shelf:
    return Shelf(node)


def test_a_unit_gets_its_own_orders_newest_first(shelf: Shelf) -> None:
    assert shelf.places() == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert shelf.places(unit_id="market") == [7, 4, 1]
    assert shelf.places(unit_id="nobody") == []


def test_an_order_is_listed_under_its_state_and_unit_of_now_only(shelf: Shelf) -> None:
    shelf.happens(shelf.ids[1], E.SENT)
    shelf.happens(shelf.ids[4], E.CLOSED, why="x")
    shelf.happens(shelf.ids[1], E.REASSIGNED, changes={"unit_id": "tax"}, why="x")
    assert shelf.places(unit_id="market") == [7, 4]
    assert shelf.places(unit_id="tax") == [6, 3, 1, 0]
    assert shelf.places(states=frozenset({S.CLOSED, S.SENT})) == [4, 1]
    assert shelf.places(unit_id="tax", states=frozenset({S.OPENED})) == [6, 3, 0]


def test_orders_are_counted_by_unit_and_state(shelf: Shelf) -> None:
    shelf.happens(shelf.ids[1], E.SENT)
    counts = shelf.node.ask("orders.count_orders")
    assert {place: count for place, count in counts.items() if count} == {
        ("tax", "opened"): 3, ("labour", "opened"): 3, ("market", "opened"): 2, ("market", "sent"): 1,
    }  # fmt: skip
    assert counts["tax", "closed"] == 0


def test_times_cut_a_list_and_pages_follow_each_other_without_gap_or_repetition(shelf: Shelf) -> None:
    since, until = EVENING + timedelta(minutes=2), EVENING + timedelta(minutes=6)
    assert shelf.places(since=since, until=until) == [5, 4, 3, 2]
    found: list[str] = []
    while page := shelf.find(limit=4, after=found[-1] if found else ""):
        found += page
    assert found == shelf.ids[::-1]
    assert shelf.places(unit_id="tax", after=shelf.ids[6], until=until) == [3, 0]


def test_orders_opened_in_the_same_millisecond_are_all_on_some_page(node: Node) -> None:
    node.start()
    ids = {node.open_order(f"1390000{n:04}").order_id for n in range(7)}
    found: list[str] = []
    while page := node.ask("orders.find_orders", OrderFilter(limit=2, after=found[-1] if found else "")):
        found += [order.order_id for order in page]
    assert len(found) == len(set(found)) == 7
    assert set(found) == ids


def test_all_orders_of_a_phone_are_found_settled_ones_too(shelf: Shelf) -> None:
    shelf.happens(shelf.ids[2], E.CLOSED, why="x")
    assert shelf.places(phone="13800000002") == [2]
    assert shelf.places(phone="13800000002", unit_id="tax") == []
    assert shelf.places(phone="13800000002", states=frozenset({S.OPENED})) == []


def test_what_is_forgotten_is_in_no_list(shelf: Shelf) -> None:
    shelf.happens(shelf.ids[0], E.CLOSED, why="x")
    shelf.node._in_reactor(
        shelf.node.ledger.write, "order_forgotten", {"order_id": shelf.ids[0]}, NINE + timedelta(hours=1)
    )
    shelf.node.settle()
    assert 0 not in shelf.places(unit_id="tax")
    assert shelf.find(phone="13800000000") == []
    assert not shelf.node.ledger._store._redis.exists(shelf.node.ledger._store.key("of_phone", "13800000000"))


def test_a_written_answer_and_the_words_of_a_chat_are_kept(shelf: Shelf) -> None:
    changes = {"written_answer": "已办结。", "written_answer_at": NINE, "written_answer_by": "unit:tax:李四",
               "written_request": "如何退税？", "first_response_at": NINE}  # fmt: skip
    order = shelf.node._in_reactor(
        shelf.node.ledger.orders.note_order, shelf.ids[0], "answer_written", who="x", changes=changes, at=NINE
    )
    assert {name: getattr(order, name) for name in changes} == changes


_FILL = """
for n = ARGV[2], ARGV[2] + 1999 do
  local number, unit = string.format('260303%06d', n), string.format('unit_%d', n % 50)
  redis.call('ZADD', ARGV[1] .. 'orders', string.format('%d', n * 1000), number)
  redis.call('ZADD', ARGV[1] .. 'filed:' .. unit .. '|closed', string.format('%d', n * 1000), number)
  redis.call('SADD', ARGV[1] .. 'units', unit)
end
"""


@pytest.fixture
def many(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A hundred thousand orders of fifty units, in the lists that apply.lua keeps; whoever is read gets an order."""
    for first in range(0, 100_000, 2000):  # in bites a slow machine swallows within the store's patience
        store._redis.eval(_FILL, 0, store.key(""), first)
    document = to_payload(draft("13800000001"), "x") | {"state": "closed", "is_open": False, "version": 1}
    monkeypatch.setattr(
        store.orders, "_orders", lambda numbers: [from_fields(document | {"order_id": n}) for n in numbers]
    )
    return store


def test_a_page_out_of_a_hundred_thousand_orders_asks_for_no_more_than_it_shows(many: Store) -> None:
    client = many._redis
    client.config_resetstat()
    pages = [
        [order.order_id for order in many.orders.find(asked)]
        for asked in (
            OrderFilter(), OrderFilter(unit_id="unit_7"), OrderFilter(states=frozenset({S.CLOSED})),
            OrderFilter(after="260303050000", unit_id="unit_7"),
        )
    ]  # fmt: skip
    assert [page[0] for page in pages] == ["260303099999", "260303099957", "260303099999", "260303049957"]
    assert [len(page) for page in pages] == [50, 50, 50, 50]
    # one list of all, ten states of one unit twice, one state of fifty units: each up to a page, in four questions
    stats = client.info("commandstats")
    assert stats["cmdstat_zrevrangebyscore"]["calls"] == 1 + 10 + 50 + 10
    assert "cmdstat_get" not in stats


def test_an_event_is_told_of_once_it_counts_and_not_when_it_is_applied_again(node: Node) -> None:
    told: list[tuple[str, str, str]] = []

    def hear(event: JournalEvent, outcome: Any) -> None:
        told.append((event.event_type, outcome.order_id, outcome.unit_id))

    node.start().watch(hear)
    order_id = node.open_order("13800000001").order_id
    node._in_reactor(node.ledger.orders.change_order, order_id, E.ACKNOWLEDGED, who="x", at=NINE)
    node.settle()
    assert told == [("order_opened", order_id, told[0][2]), ("order_changed", order_id, told[0][2])]
    assert told[0][2]
    node.restart().watch(hear)
    node.ledger._store._redis.flushall()
    node.settle()
    node._in_reactor(node.ledger.settled, 20.0)
    assert len(told) == 2
