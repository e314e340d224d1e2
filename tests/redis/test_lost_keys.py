"""What Redis loses by itself is noticed, told, and built anew from the journal, unless that would lose more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import config
from callback_scheduler.ledger import watchman
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.store.store import Store
from config.settings import load
from console.people.verify_command import run
from tests.redis.nodes import EVENING, InReactor, Node, wait_until

NUMBERS = [f"2603031{n:04}" for n in range(1, 6)]


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchman, "_LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(watchman, "_LOOK_AT_MEMORY_EVERY_S", 0.1)


@pytest.fixture
def kept(tmp_path: Path, in_reactor: InReactor, server: EmbeddedRedis) -> Iterator[Node]:
    """A node with five orders and a call in a Redis that anybody may change."""
    made = Node(tmp_path / "var", in_reactor)
    made.start(redis_url=server.url)
    for n in range(5):
        made.open_order(str(n))
    call = {"call_id": "c1", "offered_at": EVENING.isoformat(), "ended_at": EVENING.isoformat(), "legs": []}
    made.ask("write", "call_ended", call, EVENING)
    made.settle()
    yield made
    made.stop()


def redis_of(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = node.ledger.status()["redis"]
    return found


def _drop(key: str, redis: Any) -> int:
    return int(redis.delete(key))


def numbers(node: Node) -> list[str]:
    return sorted(order.order_id for order in node.ask("orders.latest"))


KEYS = [("order", NUMBERS[2]), ("orders",), ("due",), ("stamps",), ("numbers",), ("order_facts",), ("call", "c1")]


@pytest.mark.parametrize("family", KEYS)
def test_a_key_that_is_gone_is_noticed_and_built_anew(kept: Node, store: Store, family: tuple[str, ...]) -> None:
    with capture_logs() as logs:
        assert store.ask(lambda redis: redis.delete(store.key(*family))) == 1
        wait_until(lambda: redis_of(kept)["rebuilds"] == 1 and redis_of(kept)["orders_lost"] == 0)
    kept.settle()
    assert numbers(kept) == NUMBERS
    assert [call["call_id"] for call in kept.ask("calls")] == ["c1"]
    assert store.ask(lambda redis: redis.zcard(store.key("due"))) == 5
    assert [one["log_level"] for one in logs if one["event"] == "redis_lost_orders"] == ["error"]


def test_what_was_lost_while_the_node_was_away_is_found_when_it_starts(
    kept: Node, store: Store, server: EmbeddedRedis
) -> None:
    kept.stop()
    for number in NUMBERS[:3]:
        store.ask(partial(_drop, store.key("order", number)))
    kept.start(redis_url=server.url)
    wait_until(lambda: redis_of(kept)["rebuilds"] == 1)
    kept.settle()
    assert numbers(kept) == NUMBERS


def test_redis_is_not_emptied_of_what_no_living_node_could_build_anew(kept: Node, store: Store) -> None:
    store.ask(lambda redis: redis.hset(store.key("applied"), "journal-of-a-lost-machine", 7))
    store.ask(lambda redis: redis.delete(store.key("order", NUMBERS[0])))
    wait_until(lambda: redis_of(kept)["orders_lost"] == 1)
    assert redis_of(kept)["rebuilds"] == 0
    assert numbers(kept) == NUMBERS[1:]
    store.ask(lambda redis: redis.hdel(store.key("applied"), "journal-of-a-lost-machine"))
    wait_until(lambda: redis_of(kept)["rebuilds"] == 1)


def test_a_redis_that_loses_the_same_again_is_not_emptied_for_ever(
    kept: Node, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchman, "_MEND_EVERY_S", 0.0)
    store.ask(lambda redis: redis.delete(store.key("order", NUMBERS[0])))
    wait_until(lambda: redis_of(kept)["rebuilds"] == 1 and redis_of(kept)["orders_lost"] == 0)
    store.ask(lambda redis: redis.delete(store.key("order", NUMBERS[0])))
    wait_until(lambda: redis_of(kept)["orders_lost"] == 1)
    store.ask(lambda redis: redis.delete(store.key("order", NUMBERS[1])))
    wait_until(lambda: redis_of(kept)["rebuilds"] == 2)  # another one was not mended yet


def test_an_order_that_was_forgotten_is_not_called_lost(kept: Node, server: EmbeddedRedis) -> None:
    at = EVENING + timedelta(days=1)
    closed = {"order_id": NUMBERS[0], "state_from": "opened", "state_to": "closed", "is_open": False}
    kept.ask("write", "order_changed", closed, at)
    kept.ask("write", "order_forgotten", {"order_id": NUMBERS[0]}, at)
    kept.settle()
    assert numbers(kept) == NUMBERS[1:]
    kept.restart(redis_url=server.url)
    wait_until(lambda: not kept.ledger._watchman._is_whole_look)
    assert (redis_of(kept)["orders_lost"], redis_of(kept)["rebuilds"]) == (0, 0)


def test_a_redis_that_begins_to_evict_is_told_at_run_time(kept: Node, store: Store) -> None:
    assert redis_of(kept)["may_evict"] is False
    store.ask(lambda redis: redis.config_set("maxmemory-policy", "allkeys-lru"))
    wait_until(lambda: redis_of(kept)["may_evict"])
    store.ask(lambda redis: redis.config_set("maxmemory-policy", "noeviction"))
    wait_until(lambda: not redis_of(kept)["may_evict"])


def test_an_access_list_without_info_is_enough(
    tmp_path: Path, in_reactor: InReactor, server: EmbeddedRedis, store: Store
) -> None:
    store.ask(lambda redis: redis.execute_command(
        "ACL", "SETUSER", "app", "on", ">pw", "~hotline:*", "+@all", "-@dangerous"
    ))  # fmt: skip
    node = Node(tmp_path / "var", in_reactor)
    with capture_logs() as logs:
        node.start(redis_url=f"{server.url}?username=app&password=pw")
        assert node.open_order("1").order_id == NUMBERS[0]
        node.settle()
        wait_until(lambda: any(one["event"] == "redis_may_drop_orders" for one in logs))
    store.ask(lambda redis: redis.delete(store.key("order", NUMBERS[0])))
    wait_until(lambda: redis_of(node)["rebuilds"] == 1)
    node.settle()
    assert numbers(node) == NUMBERS[:1]
    node.stop()


def test_verify_compares_orders_and_not_the_head_alone(
    kept: Node, store: Store, server: EmbeddedRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.stop()
    source = Path(config.__file__).parent
    settings = load(source / "hotline.yaml").model_copy(update={"data_dir": kept.data_dir, "redis_url": server.url})
    assert run(settings, as_json=False) == 0
    assert "every order of the journal is in Redis" in capsys.readouterr().out
    store.ask(lambda redis: redis.delete(store.key("order", NUMBERS[3])))
    assert run(settings, as_json=False) == 1
    assert f"1 orders are missing in Redis, or parts of them: {NUMBERS[3]}" in capsys.readouterr().out
    kept.start(redis_url=server.url)
