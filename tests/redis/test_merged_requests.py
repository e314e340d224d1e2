"""A request that is repeated adds to its order: what was asked first, and who asked, is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.notices.city.messages import CityMessages
from callback_scheduler.orders import life
from callback_scheduler.orders.order import Order
from callback_scheduler.store.store import Store
from routing.directory import Directory
from tests.redis.nodes import EVENING, draft
from tests.redis.test_early_events import apply_by_the_earlier_version
from tests.redis.test_store import Applying, opened

NUMBER = "26030310001"


@pytest.fixture
def apply(store: Store) -> Applying:
    made = Applying(store)
    made(opened(NUMBER, draft("138", company="")))
    return made


def one(store: Store) -> Order:
    order = store.orders.order(NUMBER)
    assert order is not None
    return order


def typed(store: Store, text: str, *known: str, minute: int = 1) -> JournalEvent:
    """Return the event of a request, as node/operations/online.py writes it of what it knows of the order."""
    changes: dict[str, Any] = {"written_request": text, "written_requests": [*known, text]}
    payload = life.noted(one(store), who="online:chat", why="", changes=changes, attempt=None)
    return JournalEvent.new("order_noted", payload | {"note": "online_request"}, EVENING + timedelta(minutes=minute))


def typed_as_before(store: Store, text: str) -> JournalEvent:
    """Return the same as an earlier version wrote it."""
    payload = life.noted(one(store), who="online:chat", why="", changes={"written_request": text}, attempt=None)
    return JournalEvent.new("order_noted", payload | {"note": "online_request"}, EVENING + timedelta(minutes=1))


def test_all_that_was_typed_is_kept_in_its_order(store: Store, apply: Applying) -> None:
    for text, known in (("第一次", ()), ("第二次", ("第一次",)), ("第三次", ("第一次", "第二次"))):
        apply(typed(store, text, *known))
    assert (one(store).requests, one(store).written_request) == (("第一次", "第二次", "第三次"), "第三次")


def test_two_that_come_at_the_same_moment_and_know_nothing_of_each_other_are_both_kept(
    store: Store, apply: Applying
) -> None:
    apply(typed(store, "一"), typed(store, "二"))
    assert one(store).requests == ("一", "二")


def test_a_text_sent_again_is_kept_once(store: Store, apply: Applying) -> None:
    apply(typed(store, "一"), typed(store, "一"))
    assert one(store).requests == ("一",)


@pytest.mark.parametrize("is_there_already", [True, False])
def test_what_an_earlier_version_kept_is_not_lost(store: Store, apply: Applying, is_there_already: bool) -> None:
    if is_there_already:
        apply_by_the_earlier_version(store, typed_as_before(store, "从前的"))
    else:  # its journal, read again
        apply(typed_as_before(store, "从前的"))
    assert one(store).requests == ("从前的",)
    apply(typed_as_before(store, "再问") if not is_there_already else typed(store, "再问"))
    assert one(store).requests == ("从前的", "再问")


def test_the_city_is_told_all_that_was_typed(store: Store, apply: Applying) -> None:
    message = CityMessages(Directory((), ()), "full").message((3, typed(store, "第二次", "第一次")))
    assert message["字段"]["诉求文字"] == "第一次\n第二次"
    assert CityMessages(Directory((), ()), "full").message((3, typed_as_before(store, "从前的")))["字段"] == {
        "诉求文字": "从前的"
    }


def test_a_name_that_comes_with_a_repeated_call_names_the_enterprise_of_the_order(
    store: Store, apply: Applying
) -> None:
    apply(opened("26030310002", draft("138", company="甲公司", contact="王经理")))
    assert (one(store).company, one(store).contact) == ("甲公司", "王经理")
    apply(opened("26030310003", draft("138", company="乙公司")))
    assert one(store).company == "甲公司", "nobody has said that the first was wrong"
    assert [merged.company for merged in one(store).merged_calls] == ["甲公司", "乙公司"]


def test_a_name_entered_later_counts(store: Store, apply: Applying) -> None:
    for company in ("甲公司", "甲有限公司"):
        payload = life.noted(one(store), who="unit:tax:李", why="", changes={"company": company}, attempt=None)
        apply(JournalEvent.new("order_noted", payload | {"note": "enterprise_named"}, EVENING))
    assert one(store).company == "甲有限公司"
