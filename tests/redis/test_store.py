"""The store in a real Redis: every event once, in order, and repeated calls taken up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callback_scheduler.errors import StoreUnavailable
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders.fields import to_payload
from callback_scheduler.orders.order import Order, OrderDraft
from callback_scheduler.orders.states import OrderState
from callback_scheduler.store import slices as stretches
from callback_scheduler.store.store import EventOutcome, Store
from tests.redis.nodes import EVENING, draft

JOURNAL = "j1"


class Applying:
    """Applies events at the next positions of one journal."""

    def __init__(self, store: Store, journal_id: str = JOURNAL) -> None:
        self._store, self._journal_id = store, journal_id

    def __call__(self, *events: JournalEvent) -> list[EventOutcome]:
        first = self._store.applied(self._journal_id) + 1
        return self._store.apply(self._journal_id, list(enumerate(events, start=first)))


@pytest.fixture
def apply(store: Store) -> Applying:
    return Applying(store)


def opened(order_id: str, order: OrderDraft) -> JournalEvent:
    return JournalEvent.new("order_opened", to_payload(order, order_id), order.opened_at)


def happened(event_type: str, payload: dict[str, Any], minute: int = 0) -> JournalEvent:
    return JournalEvent.new(event_type, payload, EVENING + timedelta(minutes=minute))


def test_an_order_is_stored_whole(store: Store, apply: Applying) -> None:
    order = draft("13800000001", message_path="recordings/m.wav", is_direct=True)
    (outcome,) = apply(opened("26030310001", order))
    assert (outcome.status, outcome.order_id) == ("applied", "26030310001")
    found = store.orders.order("26030310001")
    assert found is not None
    assert found.state is OrderState.OPENED
    for name in order.__dataclass_fields__:
        assert getattr(found, name) == getattr(order, name), name
    assert store.orders.latest() == [found]


def test_the_same_event_a_second_time_changes_nothing_and_answers_the_same(store: Store, apply: Applying) -> None:
    first, repeated = opened("26030310001", draft("1")), opened("26030310002", draft("1"))
    apply(first, repeated)
    before = store.orders.latest()
    for position, event in ((1, first), (2, repeated), (9, first)):
        (outcome,) = store.apply(JOURNAL, [(position, event)])
        assert (outcome.status, outcome.order_id) == ("seen", "26030310001")
    assert store.orders.latest() == before
    assert store.applied(JOURNAL) == 2


def test_an_event_out_of_order_is_not_applied(store: Store, apply: Applying) -> None:
    apply(opened("26030310001", draft("1")))
    outcomes = store.apply(JOURNAL, [(3, opened("26030310003", draft("3"))), (4, opened("26030310004", draft("4")))])
    assert [(outcome.status, outcome.order_id) for outcome in outcomes] == [("gap", "1"), ("gap", "1")]
    assert len(store.orders.latest()) == 1


def test_a_repeated_call_is_taken_up_by_the_open_order_whose_deadline_stays(store: Store, apply: Applying) -> None:
    first = draft("13800000001")
    later = draft("13800000001", after=timedelta(days=1), call_id="second", message_path="m2.wav")
    apply(opened("26030310001", first))
    (outcome,) = apply(opened("26030410001", later))
    assert outcome.order_id == "26030310001"
    assert outcome.due_at == "2026-03-04T02:00:00+00:00"
    (order,) = store.orders.latest()
    assert order.deadline == first.deadline
    (repeated,) = order.merged_calls
    assert (repeated.order_id, repeated.call_id, repeated.message_path) == ("26030410001", "second", "m2.wav")
    assert store.orders.order("26030410001") == order  # the number leads to it


@pytest.mark.parametrize(
    ("number", "matter"), [("13800000002", "tax"), ("13800000001", "licence")], ids=["another number", "another matter"]
)
def test_another_number_or_matter_is_another_order(store: Store, apply: Applying, number: str, matter: str) -> None:
    apply(opened("26030310001", draft("13800000001")), opened("26030310002", draft(number, matter)))
    assert [order.order_id for order in store.orders.latest()] == ["26030310002", "26030310001"]


def test_orders_without_a_number_to_ring_are_not_one_order(store: Store, apply: Applying) -> None:
    apply(opened("26030310001", draft("")), opened("26030310002", draft("")))
    assert len(store.orders.latest()) == 2


def test_a_settled_order_takes_no_call_up_until_it_is_reopened(store: Store, apply: Applying) -> None:
    def change(before: str, after: str) -> JournalEvent:
        payload = {"order_id": "26030310001", "state_from": before, "state_to": after}
        return happened("order_changed", payload | {"is_open": OrderState(after).is_open}, minute=1)

    apply(opened("26030310001", draft("1")), change("opened", "closed"))
    assert store.orders.due_before(EVENING + timedelta(days=9)) == []
    apply(opened("26030310002", draft("1")))
    assert [order.order_id for order in store.orders.due_before(EVENING + timedelta(days=9))] == ["26030310002"]
    apply(change("sent", "calling_back"))  # not from its state: nothing
    found = store.orders.order("26030310001")
    assert found is not None
    assert found.state is OrderState.CLOSED
    apply(change("closed", "opened"), opened("26030310003", draft("1")))
    found = store.orders.order("26030310003")
    assert found is not None
    assert found.order_id == "26030310002"


def test_orders_are_found_by_their_deadline_earliest_first(store: Store, apply: Applying) -> None:
    apply(
        opened("26030410001", draft("1", after=timedelta(days=1))),
        opened("26030310001", draft("2")),
        opened("26030310002", draft("3", after=timedelta(days=3))),
    )
    by_deadline = store.orders.due_before(EVENING + timedelta(days=2))
    assert [order.order_id for order in by_deadline] == ["26030310001", "26030410001"]


def test_all_that_is_due_is_found_and_only_what_has_changed_is_read_again(
    store: Store, apply: Applying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches, "_ABOUT", 3)
    numbers = [f"2603031{n:04d}" for n in range(1, 12)]
    apply(*(opened(number, draft(number, after=timedelta(days=n // 3))) for n, number in enumerate(numbers)))
    until = EVENING + timedelta(days=9)

    def due(known: dict[str, Order]) -> dict[str, Order]:
        slices = store.orders.due_slices(until)
        found = [order for time_slice in slices for order in store.orders.due_in(time_slice, known)]
        return {order.order_id: order for order in found}

    first = due({})
    assert list(first) == numbers
    assert len(store.orders.due_slices(until)) > 1
    change = {"order_id": numbers[4], "state_from": "opened", "state_to": "sent", "is_open": True}
    settled = {"order_id": numbers[5], "state_from": "opened", "state_to": "closed", "is_open": False}
    apply(happened("order_changed", change), happened("order_changed", settled), opened("merged", draft(numbers[7])))
    second = due(first)
    assert list(second) == [number for number in numbers if number != numbers[5]]
    read_again = [number for number in second if second[number] is not first[number]]
    assert read_again == [numbers[4], numbers[7]]
    assert second[numbers[4]].state is OrderState.SENT
    assert len(second[numbers[7]].merged_calls) == 1


def test_an_order_whose_stamp_an_older_version_did_not_keep_is_read_each_time(store: Store, apply: Applying) -> None:
    apply(opened("26030310001", draft("1")))
    store._redis.delete(store.key("stamps"))
    (time_slice,) = store.orders.due_slices(EVENING + timedelta(days=9))
    (order,) = store.orders.due_in(time_slice, {})
    (again,) = store.orders.due_in(time_slice, {order.order_id: order})
    assert again is not order
    assert again == order


def test_an_answer_that_nobody_waits_for_any_more_is_not_taken_for_another(store: Store, apply: Applying) -> None:
    apply(opened("26030310001", draft("1")))
    answers: Any = store.orders._slices.read("return ARGV[2]", over=[("1", ""), ("2", ""), ("3", "")])
    assert next(answers) == "1"
    answers.close()
    assert [order.order_id for order in store.orders.latest()] == ["26030310001"]
    again = store.orders._slices.read("return ARGV[2]", over=[("4", ""), ("5", ""), ("6", "")])
    assert list(again) == ["4", "5", "6"]
    assert list(store.orders._slices.read("return 1", over=[])) == []


def test_a_number_given_twice_costs_no_order(store: Store, apply: Applying) -> None:
    apply(opened("26030310001", draft("1")))
    (outcome,) = apply(opened("26030310001", draft("2")))
    assert outcome.order_id == "26030310001-2"
    assert {order.callback_number for order in store.orders.latest()} == {"1", "2"}


def test_call_records_grow_whole_and_the_oldest_beyond_the_cap_go(server: Any) -> None:
    store = Store.connect(server.url, calls_kept=3)
    apply = Applying(store)
    for n in range(5):
        apply(happened("call_offered", {"call_id": f"c{n}", "caller": "1"}, minute=n))
    apply(happened("call_ended", {"call_id": "c3", "legs": [1, 2], "两方通话": 12.5}, minute=9))
    apply(happened("call_offered", {"call_id": "c3", "caller": "late"}, minute=10))
    assert [call["call_id"] for call in store.records.calls()] == ["c4", "c3", "c2"]
    assert store.records.calls()[1] == {"call_id": "c3", "legs": [1, 2], "两方通话": 12.5}
    assert store.records.calls(limit=1) == [{"call_id": "c4", "caller": "1"}]
    store.close()


def test_surveys_are_kept_apart_from_call_records(store: Store, apply: Applying) -> None:
    apply(happened("survey_answered", {"rating": 5, "solved": True}))
    assert store.records.surveys() == [{"rating": 5, "solved": True}]
    assert store.records.calls() == []


def test_an_event_that_makes_no_sense_is_listed_and_those_behind_it_go_on(store: Store, apply: Applying) -> None:
    nonsense = happened("order_opened", {"order_id": 7})
    no_call = happened("call_ended", {})
    outcomes = apply(nonsense, no_call, happened("line_died", {"line": 3}), opened("26030310001", draft("1")))
    assert [outcome.status for outcome in outcomes] == ["refused", "refused", "applied", "applied"]
    assert set(store.refused()) == {nonsense.event_id, no_call.event_id}
    assert "not an order" in store.refused()[nonsense.event_id]


def test_a_redis_whose_memory_is_full_is_waited_for_and_no_event_is_refused(store: Store, apply: Applying) -> None:
    apply(opened("26030310001", draft("1")))
    store._redis.config_set("maxmemory", 1)
    with pytest.raises(StoreUnavailable, match="OOM"):
        apply(opened("26030310002", draft("2")))
    store._redis.config_set("maxmemory", 0)
    assert store.refused() == {}
    assert store.applied(JOURNAL) == 1
    apply(opened("26030310002", draft("2")))
    assert len(store.orders.latest()) == 2


def test_two_journals_share_one_redis_and_merge_across(store: Store, apply: Applying) -> None:
    other = Applying(store, "j2")
    apply(opened("26030310001", draft("1")))
    (outcome,) = other(opened("26030320001", draft("1")))
    assert outcome.order_id == "26030310001"
    assert (store.applied("j1"), store.applied("j2")) == (1, 1)


def test_the_script_is_loaded_again_after_redis_forgot_it(store: Store, apply: Applying) -> None:
    apply(opened("26030310001", draft("1")))
    store._redis.script_flush()
    apply(opened("26030310002", draft("2")))
    assert len(store.orders.latest()) == 2


def test_all_keys_carry_the_prefix(server: Any) -> None:
    store = Store.connect(server.url, prefix="changning:")
    apply = Applying(store)
    apply(opened("26030310001", draft("1")), opened("26030310002", draft("1")))
    apply(happened("call_ended", {"call_id": "c"}), happened("survey_answered", {}), happened("order_opened", {}))
    assert all(key.startswith("changning:") for key in store._redis.keys("*"))
    assert store.highest_numbers() == ["26030310002"]
    store.close()


def test_a_redis_that_is_not_there_says_so_in_time() -> None:
    store = Store.connect("unix:///nonexistent/redis.sock", timeout_s=0.5)
    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.orders.latest()
