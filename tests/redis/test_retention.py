"""What need not be known any more is forgotten, stays forgotten, and takes nothing with it that is still owed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callback_scheduler.journal.scan import segment_files
from callback_scheduler.ledger.verification import verify
from callback_scheduler.orders.states import OrderEvent as E
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.store.search import OrderFilter
from tests.redis.nodes import EVENING, InReactor, Node, wait_until

LATER = EVENING + timedelta(days=400)
BEFORE = EVENING + timedelta(days=300)


@pytest.fixture
def old_node(node: Node) -> Node:
    """A node with small files, in which every order of the first night is closed, and one of today is open."""
    node.start()
    node.ledger._journal._segment_bytes = 2000
    for n in range(6):
        opened = node.open_order(str(n), message_path=f"m{n}.wav")
        close(node, opened.order_id)
    node.ask("write", "call_ended", {"call_id": "old"}, EVENING)
    node.open_order("today", after=timedelta(days=399))
    for n in range(8):
        node.ask("write", "call_ended", {"call_id": f"today-{n}", "filling": "x" * 300}, LATER)
    node.settle()
    return node


def close(node: Node, order_id: str, after: timedelta = timedelta(hours=14)) -> None:
    node._in_reactor(node.ledger.orders.change_order, order_id, E.CLOSED, who="operator", at=EVENING + after)


def phones(node: Node) -> set[str]:
    return {order.callback_number for order in node.ask("orders.latest")}


def forget(node: Node, archive: Path | None) -> Any:
    return node.ask("forget", BEFORE, LATER, archive)


def test_settled_orders_calls_and_files_go_and_the_rest_stays(old_node: Node) -> None:
    node = old_node
    archive = node.data_dir / "archive"
    files = len(segment_files(node.data_dir / "journal"))
    gone = forget(node, archive)
    assert (len(gone.orders), gone.recordings) == (6, tuple(f"m{n}.wav" for n in range(6)))
    assert len(gone.files) >= 2
    assert [file.name for file in segment_files(archive)] == [file.name for file in gone.files]
    assert len(segment_files(node.data_dir / "journal")) >= files - len(gone.files)
    assert phones(node) == {"today"}
    assert not any(call["call_id"] == "old" for call in node.ask("calls"))
    assert node.ask("orders.order", gone.orders[0]) is None
    assert node.ask("orders.order_events", gone.orders[0]) == []
    keys = node.ledger._store._redis.keys(f"*{gone.orders[0]}*")
    assert keys == []
    assert forget(node, archive).orders == ()


def test_the_chain_goes_on_from_what_was_archived_and_a_restart_and_a_rebuild_do_too(old_node: Node) -> None:
    node = old_node
    forget(node, None)
    folder = node.data_dir / "journal"
    found = verify(folder)
    assert found.is_whole
    assert found.archived == int(segment_files(folder)[0].stem) - 1 > 0
    node.restart()
    assert node.open_order("2", call_id="again").order_id == "26030310007"  # no number is given twice
    node.settle()
    node.ledger._store._redis.flushall()
    wait_until(lambda: node.ledger.status()["redis"]["rebuilds"] == 1)
    node.settle()
    assert phones(node) == {"today", "2"}
    segment_files(folder)[0].rename(node.data_dir / "lost")
    assert "is missing" in str(verify(folder).broken)


def test_an_order_that_is_owed_keeps_its_file_and_all_behind_it(node: Node) -> None:
    node.start()
    node.ledger._journal._segment_bytes = 1
    closed = node.open_order("closed")
    close(node, closed.order_id)
    node.open_order("owed")
    later = node.open_order("also closed")
    close(node, later.order_id)
    for n in range(3):
        node.ask("write", "call_ended", {"call_id": str(n)}, EVENING)
    node.settle()
    gone = forget(node, None)
    assert set(gone.orders) == {closed.order_id, later.order_id}
    assert [int(file.stem) for file in gone.files] == [1, 2]
    assert phones(node) == {"owed"}


def test_a_number_that_an_order_has_no_more_does_not_lead_to_it(node: Node) -> None:
    node.start()
    order_id = node.open_order("1", caller_number="2").order_id
    note = node.ledger.orders.note_order
    node._in_reactor(note, order_id, "told", who="caller", changes={"callback_number": "3"}, at=EVENING)
    named = {number: len(node.ask("orders.find_orders", OrderFilter(phone=number))) for number in "123"}
    assert named == {"1": 0, "2": 1, "3": 1}


def test_what_an_earlier_version_left_in_redis_goes_too(node: Node) -> None:
    node.start()
    redis, key = node.ledger._store._redis, node.ledger._store.key
    redis.set("hotline:2:order:7", "13800138000")
    redis.set("hotline:20:order:7", "of a later version")
    redis.zadd(key("of_phone", "13800138000"), {"26010110001": 1})  # of an order that is not known any more
    redis.rpush(key("early", "26010110001"), json.dumps(["id", "order_noted", "1000", "", "{}", ""]))
    order_id = node.open_order("1").order_id
    forget(node, None)
    names = redis.keys("*")
    assert not [name for name in names if "13800138000" in name or ":early:" in name or name.startswith("hotline:2:")]
    assert "hotline:20:order:7" in names
    assert redis.zrange(key("of_phone", "1"), 0, -1) == [order_id]


def test_files_that_our_redis_set_aside_or_left_half_made_go_too(node: Node) -> None:
    node.start()
    redis = node.data_dir / "redis"
    (redis / "appendonlydir.damaged").mkdir()
    for name in ("appendonlydir.damaged/x.incr.aof", "appendonly.aof.damaged1", "temp-rewriteaof-bg-7.aof"):
        (redis / name).write_text("13800138000")
    node.open_order("1")
    forget(node, None)
    assert not any(b"13800138000" in path.read_bytes() for path in redis.rglob("*") if path.is_file())
    assert phones(node) == {"1"}


def test_what_a_node_says_of_anothers_order_is_known_while_that_is_owed_and_then_forgotten(
    tmp_path: Path, in_reactor: InReactor, server: EmbeddedRedis
) -> None:
    one, other = (Node(tmp_path / name, in_reactor) for name in ("one", "other"))
    try:
        one.start(node_number=1, redis_url=server.url)
        other.start(node_number=2, redis_url=server.url)
        order_id = one.open_order("1").order_id
        for day in (310, 340):  # when the order's day is past for this node, which never had a key of it
            other.ask("forget", EVENING + timedelta(days=day - 40), LATER, None)
            note = other.ledger.orders.note_order
            at = EVENING + timedelta(days=day)
            in_reactor(note, order_id, "told", who="caller", changes={"written_request": f"day {day}"}, at=at)
        one.ledger._store._redis.flushall()
        for node in (one, other):
            node.restart(node_number=1 + (node is other), redis_url=server.url)
            node.settle()
        wait_until(lambda: len(one.ask("orders.latest")) == 1)
        wait_until(lambda: one.ask("orders.order", order_id).written_request == "day 340")
        close(one, order_id, after=timedelta(days=341))
        other.ask("forget", LATER, LATER, None)
        assert all(event.is_forgotten for _, event in other.ledger._journal.replay(event_types=("order_noted",)))
        assert verify(other.data_dir / "journal").is_whole
    finally:
        for node in (one, other):
            node.stop()


def test_an_order_something_happened_to_lately_is_not_old(node: Node) -> None:
    node.start()
    opened = node.open_order("1")
    close(node, opened.order_id, after=timedelta(days=399))
    assert forget(node, None).orders == ()
    assert phones(node) == {"1"}


def test_a_crash_between_mark_and_move_leaves_a_journal_that_opens(old_node: Node, tmp_path: Path) -> None:
    node = old_node
    (tmp_path / "a file").touch()
    with pytest.raises(OSError, match="a file"):
        forget(node, tmp_path / "a file")  # nothing can be moved there
    node.restart()
    assert verify(node.data_dir / "journal").is_whole
    assert phones(node) == {"today"}
