"""The shelf in a real Redis: short-lived texts beside the ledger's own keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.store.expiring_texts import ExpiringTexts
from callback_scheduler.store.store import Store
from tests.redis.nodes import InReactor


async def at_once(work: Callable[[], Any]) -> Any:
    return work()


def test_a_text_is_kept_replaced_and_dropped(store: Store, in_reactor: InReactor) -> None:
    shelf = ExpiringTexts(store, at_once, "console")
    in_reactor(shelf.put, "a", "一", 60)
    assert in_reactor(shelf.get, "a") == "一"
    in_reactor(shelf.replace, "a", "二", 60)
    assert in_reactor(shelf.get, "a") == "二"
    in_reactor(shelf.drop, "a", "b")
    in_reactor(shelf.replace, "a", "三", 60)
    assert in_reactor(shelf.get, "a") is None, "what was dropped does not come back"


def test_a_text_is_gone_after_its_time(store: Store, in_reactor: InReactor) -> None:
    shelf = ExpiringTexts(store, at_once, "console")
    in_reactor(shelf.put, "a", "一", 0.05)
    until = time.monotonic() + 10
    while in_reactor(shelf.get, "a") is not None:  # Redis's own clock, which nobody can set
        assert time.monotonic() < until
        time.sleep(0.01)


def test_two_shelves_share_nothing(store: Store, in_reactor: InReactor) -> None:
    in_reactor(ExpiringTexts(store, at_once, "console").put, "a", "一", 60)
    assert in_reactor(ExpiringTexts(store, at_once, "other").get, "a") is None


def test_without_redis_it_says_so(store: Store, server: EmbeddedRedis, in_reactor: InReactor) -> None:
    server.stop()
    with pytest.raises(StoreUnavailable):
        in_reactor(ExpiringTexts(store, at_once, "console").get, "a")
