"""Notices: every event of an order reaches every receiver, in order per order, whatever breaks in between."""

from __future__ import annotations

import itertools
import json
import random
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from callback_scheduler.errors import UnknownNotice
from callback_scheduler.notices import command as notices_report
from callback_scheduler.orders.states import OrderEvent
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from tests.redis.nodes import EVENING, wait_until
from tests.redis.receivers import SECRET, HttpReceiver, http_receiver, is_signed
from tests.redis.telling import QUICK, TellingNode, journal_ids, webhook


def test_every_event_of_an_order_is_posted_once_in_order_and_signed(telling: TellingNode, board: HttpReceiver) -> None:
    telling.start_telling(**webhook(board))
    order_id = telling.open_order("13800000001").order_id
    telling.change(order_id, OrderEvent.SENT)
    telling.change(order_id, OrderEvent.ACKNOWLEDGED, why="企业改了号码 13900001111")
    wait_until(lambda: len(board.posts) == 3)
    assert [post.key for post in board.posts] == journal_ids(telling.ledger)
    assert [post.fields["type"] for post in board.posts] == ["order_opened", "order_changed", "order_changed"]
    assert all(is_signed(post, SECRET) for post in board.posts)
    assert not any(is_signed(post, SECRET + "!") for post in board.posts)
    assert {post.headers["x-hotline-key-id"] for post in board.posts} == {"1"}
    assert board.posts[0].headers["x-hotline-timestamp"] == str(int(EVENING.timestamp()))
    assert {post.fields["event_id"] for post in board.posts} == {post.key for post in board.posts}


def test_phone_numbers_leave_the_house_only_as_configured(telling: TellingNode, board: HttpReceiver) -> None:
    with http_receiver() as trusted:
        both = webhook(board)["webhooks"] + webhook(trusted, name="trusted", phone_numbers="full")["webhooks"]
        telling.start_telling(webhooks=both)
        order_id = telling.open_order("13800000001", call_id="c1").order_id
        telling.change(order_id, OrderEvent.ACKNOWLEDGED, why="企业改了号码 13900001111")
        wait_until(lambda: len(board.posts) == len(trusted.posts) == 2)
        assert board.posts[0].fields["order"]["callback_number"] == "138****0001"
        sent = b"".join(post.body for post in board.posts)
        assert b"13800000001" not in sent
        assert b"13900001111" not in sent
        assert trusted.posts[0].fields["order"]["callback_number"] == "13800000001"


def test_nothing_is_lost_while_the_receiver_is_down(telling: TellingNode, board: HttpReceiver) -> None:
    telling.start_telling(**webhook(board))
    board.stop()
    orders = [telling.open_order(f"1380000000{n}").order_id for n in range(5)]
    for order_id in orders:
        telling.change(order_id, OrderEvent.SENT)
    wait_until(lambda: telling.status_of("webhook_board")["failures_in_a_row"] >= 3)
    assert telling.status_of("webhook_board")["last_error"]
    assert telling.notices.dead_letters() == []
    board.start()
    wait_until(lambda: len(board.posts) == 10)
    assert sorted(post.key for post in board.posts) == sorted(journal_ids(telling.ledger))
    wait_until(lambda: telling.status_of("webhook_board")["is_up"])
    for order_id in orders:
        types = [post.fields["type"] for post in board.posts if post.fields["order_id"] == order_id]
        assert types == ["order_opened", "order_changed"]


def test_a_node_that_was_stopped_goes_on_where_it_stopped(telling: TellingNode, board: HttpReceiver) -> None:
    telling.start_telling(**webhook(board))
    telling.open_order("13800000001")
    wait_until(lambda: len(board.posts) == 1)
    board.stop()
    telling.open_order("13800000002")
    telling.stop()
    telling.start()  # without anybody to tell
    telling.open_order("13800000003")
    telling.stop()
    board.start()
    telling.start_telling(**webhook(board))
    wait_until(lambda: len(board.taken) == 3)
    assert sorted(post.key for post in board.taken) == sorted(journal_ids(telling.ledger))


@pytest.mark.parametrize("starts_at", ["now", "beginning"])
def test_a_receiver_new_to_a_site_begins_where_it_is_told(
    telling: TellingNode, board: HttpReceiver, starts_at: str
) -> None:
    telling.start()
    telling.open_order("13800000001")
    telling.stop()
    telling.start_telling(**webhook(board, starts_at=starts_at))
    telling.open_order("13800000002")
    expected = 1 if starts_at == "now" else 2
    wait_until(lambda: len(board.posts) == expected)
    assert sorted(post.key for post in board.posts) == sorted(journal_ids(telling.ledger)[-expected:])


def test_a_notice_tried_again_carries_the_same_key_and_a_new_timestamp(
    telling: TellingNode, board: HttpReceiver
) -> None:
    answers = iter([500, 429, 408, 301, 200])
    board.answer = lambda post: next(answers)
    telling.start_telling(**webhook(board))
    telling.open_order("13800000001")
    wait_until(lambda: len(board.posts) == 5)
    assert len({post.key for post in board.posts}) == 1
    assert len({post.body for post in board.posts}) == 1
    assert all(is_signed(post, SECRET) for post in board.posts)
    assert telling.notices.dead_letters() == []


def test_a_receiver_that_never_answers_is_given_up_waiting_for(telling: TellingNode, board: HttpReceiver) -> None:
    hangs = threading.Event()
    board.answer = lambda post: 200 if len(board.posts) or hangs.is_set() else (hangs.wait(5), 200)[1]
    telling.start_telling(**webhook(board, timeout_s=0.2))
    telling.open_order("13800000001")
    wait_until(lambda: telling.status_of("webhook_board")["failures_in_a_row"] > 0)
    assert telling.status_of("webhook_board")["last_error"] == "no answer within 0.2 s"
    hangs.set()
    wait_until(lambda: telling.status_of("webhook_board")["is_up"])


def test_what_a_receiver_refuses_is_a_dead_letter_and_the_queue_goes_on(
    telling: TellingNode, board: HttpReceiver
) -> None:
    board.answer = lambda post: 422 if "13800000001" in post.body.decode() else 200
    telling.start_telling(**webhook(board, phone_numbers="full"))
    refused = telling.open_order("13800000001").order_id
    telling.change(refused, OrderEvent.SENT)
    telling.open_order("13800000002")
    wait_until(lambda: len(board.posts) == 3)
    (dead,) = telling.notices.dead_letters()
    assert (dead["receiver"], dead["order_id"], dead["event_type"]) == ("webhook_board", refused, "order_opened")
    assert dead["reason"] == "HTTP 422 what the receiver says"
    assert telling.status_of("webhook_board")["dead_letters"] == 1

    telling.stop()
    telling.start_telling(**webhook(board, phone_numbers="full"))
    assert telling.notices.dead_letters() == [dead]
    (still,) = telling._in_reactor(telling.notices.retry, dead["event_id"])
    assert still["outcome"] == "still dead: HTTP 422 what the receiver says"
    board.answer = lambda post: 200
    (revived,) = telling._in_reactor(telling.notices.retry, "all")
    assert revived == {"receiver": "webhook_board", "event_id": dead["event_id"], "outcome": "delivered"}
    assert board.posts[-1].key == dead["event_id"]
    assert telling.notices.dead_letters() == []
    with pytest.raises(UnknownNotice):
        telling._in_reactor(telling.notices.retry, dead["event_id"])
    telling.stop()
    telling.start_telling(**webhook(board))
    assert telling.notices.dead_letters() == []


@pytest.mark.parametrize("status", [401, 403, 404, 407, 410])
def test_a_receiver_that_lets_nobody_in_for_a_while_gets_all_in_order_when_it_is_back(
    telling: TellingNode, board: HttpReceiver, status: int
) -> None:
    board.answer = lambda post: status
    telling.start_telling(**webhook(board))
    orders = [telling.open_order(f"1380000000{n}").order_id for n in range(4)]
    for event in (OrderEvent.SENT, OrderEvent.ACKNOWLEDGED):
        for order_id in orders:
            telling.change(order_id, event)
    wait_until(lambda: telling.status_of("webhook_board")["failures_in_a_row"] >= 5)
    told = telling.status_of("webhook_board")
    assert (told["is_up"], told["is_closed"], told["dead_letters"], told["delivered"]) == (False, True, 0, 0)
    listing = notices_report.text({"receivers": [told], "retried": [], "dead_letters": []})
    assert f"CLOSED to us, nothing is lost, {told['failures_in_a_row']} failures: HTTP {status}" in listing
    board.answer = lambda post: 200
    wait_until(lambda: len(board.taken) == 12)
    assert telling.notices.dead_letters() == []
    for order_id in orders:
        events = [post.fields for post in board.taken if post.fields["order_id"] == order_id]
        assert [event["order"].get("event", event["type"]) for event in events] == [
            "order_opened", "sent", "acknowledged",
        ]  # fmt: skip
    wait_until(lambda: not telling.status_of("webhook_board")["is_closed"])


def test_one_letter_a_receiver_chokes_on_holds_up_no_other_order_and_is_given_up(
    telling: TellingNode, board: HttpReceiver
) -> None:
    board.answer = lambda post: 500 if "13800000001" in post.body.decode() else 200
    telling.start_telling(**webhook(board, phone_numbers="full"))
    choking = telling.open_order("13800000001", call_id="c1").order_id
    numbers = itertools.count(13800000002)

    def one_more() -> bool:
        telling.open_order(str(next(numbers)))
        return bool(telling.notices.dead_letters())

    wait_until(one_more)
    (dead,) = telling.notices.dead_letters()
    assert dead["order_id"] == choking
    assert dead["reason"].startswith("given up after")
    wait_until(lambda: len(board.taken) == len(journal_ids(telling.ledger)) - 1)


def test_nobody_is_told_of_a_change_that_came_too_late(telling: TellingNode, board: HttpReceiver) -> None:
    telling.start_telling(**webhook(board))
    order_id = telling.open_order("13800000001").order_id
    stale = {"order_id": order_id, "event": "sent", "state_from": "acknowledged", "state_to": "sent", "is_open": True,
             "changes": {}, "who": "timetable", "why": "", "node": 1}
    telling.ask("write", "order_changed", stale, EVENING)
    telling.change(order_id, OrderEvent.SENT)
    wait_until(lambda: len(board.posts) == 2)
    assert [post.fields["order"].get("state_from") for post in board.posts] == [None, "opened"]
    assert len(journal_ids(telling.ledger)) == 3


def test_a_repeated_call_is_told_with_the_order_that_took_it_up(telling: TellingNode, board: HttpReceiver) -> None:
    telling.start_telling(**webhook(board))
    first = telling.open_order("13800000001").order_id
    telling.open_order("13800000001", call_id="again")
    wait_until(lambda: len(board.posts) == 2)
    assert [post.fields["order"].get("merged_into") for post in board.posts] == [None, first]


def test_orders_are_told_while_many_callers_ring_at_once(telling: TellingNode, board: HttpReceiver) -> None:
    rng = random.Random(3)
    board.answer = lambda post: rng.choice([200, 200, 200, 503])
    telling.start_telling(**webhook(board, parallel=8), retry=QUICK | {"gives_up_after": 1000})
    orders = [telling.open_order(f"1380000{n:04d}").order_id for n in range(40)]
    for event in (OrderEvent.SENT, OrderEvent.ACKNOWLEDGED, OrderEvent.SELF_REPORTED):
        for order_id in orders:
            telling.change(order_id, event)
    wait_until(lambda: len(board.taken) == 160, within_s=30)
    assert sorted(post.key for post in board.taken) == sorted(journal_ids(telling.ledger))
    for order_id in orders:
        of_order = [post.fields["sequence"] for post in board.taken if post.fields["order_id"] == order_id]
        assert of_order == sorted(of_order)
    wait_until(lambda: json.loads(cursor_file(telling).read_text())["position"] == telling.ledger._journal.position)


def cursor_file(telling: TellingNode) -> Path:
    return telling.data_dir / "notices" / "webhook_board" / "cursor.json"


@pytest.mark.parametrize("damage", [b"", b"{", b'{"journal": "another", "position": 99, "ahead": []}'])
def test_a_cursor_that_cannot_be_trusted_costs_a_repetition_never_a_loss(
    telling: TellingNode, board: HttpReceiver, damage: bytes
) -> None:
    telling.start_telling(**webhook(board))
    telling.open_order("13800000001")
    wait_until(lambda: len(board.posts) == 1)
    telling.stop()
    cursor_file(telling).write_bytes(damage)
    telling.start_telling(**webhook(board))
    telling.open_order("13800000002")
    wait_until(lambda: len(board.posts) == 3)
    assert sorted(post.key for post in board.posts[1:]) == sorted(journal_ids(telling.ledger))


def test_the_same_told_twice_has_one_id(telling: TellingNode, board: HttpReceiver) -> None:
    telling.start_telling(**webhook(board, events=["notice_given"]))
    order = telling.ask("orders.order", telling.open_order("13800000001").order_id)
    for _ in range(2):
        telling._in_reactor(telling.notices.tell, "reminder", order, {"key": f"{order.order_id}/reminder"}, EVENING)
    telling._in_reactor(telling.notices.tell, "reminder", order, {}, EVENING)
    wait_until(lambda: len(board.posts) == 3)
    first, second, third = (post.key for post in board.posts)
    assert first == second != third
    assert board.posts[0].fields["order"]["callback_number"] == "138****0001"


def test_while_redis_is_away_nobody_is_told_and_afterwards_all(
    telling: TellingNode, board: HttpReceiver, server: EmbeddedRedis
) -> None:
    telling.start_telling(**webhook(board), redis_url=server.url)
    telling.open_order("13800000001")
    wait_until(lambda: len(board.posts) == 1)
    server.stop()
    telling.open_order("13800000002")
    wait_until(lambda: not telling.ledger._applier.is_up)
    assert len(board.posts) == 1
    back = EmbeddedRedis(server.folder, binary=server._binary)
    back.start()
    try:
        wait_until(lambda: len(board.posts) == 2)
        assert [post.key for post in board.posts] == journal_ids(telling.ledger)
    finally:
        back.stop()


def test_files_of_the_journal_stay_until_every_receiver_was_told_what_they_hold(
    telling: TellingNode, board: HttpReceiver
) -> None:
    board.stop()
    telling.start_telling(**webhook(board))
    telling.ledger._journal._segment_bytes = 2000
    for n in range(6):
        telling.change(telling.open_order(f"1380000000{n}").order_id, OrderEvent.CLOSED)
    later = EVENING + timedelta(days=900)
    kept = telling.ask("forget", later, later, None)
    assert len(kept.orders) == 6
    assert kept.files == ()
    told_of = journal_ids(telling.ledger)
    board.start()
    wait_until(lambda: [len(board.posts), telling.status_of("webhook_board")["waiting"]] == [12, 0])
    assert {post.key for post in board.posts} == set(told_of)
    assert telling.ask("forget", later, later, None).files != ()


def test_call_records_alone_cost_no_cursor_on_disk(telling: TellingNode, board: HttpReceiver) -> None:
    telling.start_telling(**webhook(board))
    telling.open_order("13800000001")
    wait_until(lambda: len(board.posts) == 1)
    wait_until(lambda: json.loads(cursor_file(telling).read_text())["position"] == 1)
    written_at = cursor_file(telling).stat().st_mtime_ns
    for n in range(20):
        telling.ask("write", "call_offered", {"call_id": str(n), "caller": "1", "called": "2", "at": "x"}, EVENING)
    telling.settle()
    wait_until(lambda: telling.status_of("webhook_board")["position"] == 21)
    assert cursor_file(telling).stat().st_mtime_ns == written_at
