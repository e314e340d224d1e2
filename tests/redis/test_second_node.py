"""A second node on a folder harms nothing there, and a ledger stopped in mid-start leaves nothing behind."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from callback_scheduler.errors import JournalLocked, NodeNumberTaken
from callback_scheduler.ledger import node_number
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.ledger.node_number import NodeNumber
from callback_scheduler.store.embedded_redis import EmbeddedRedis
from callback_scheduler.store.store import Store
from tests.redis.nodes import InReactor, Node, wait_until


def test_two_nodes_do_not_share_a_folder(node: Node, in_reactor: InReactor) -> None:
    node.start()
    second = Ledger(node.data_dir, reactor)
    with pytest.raises(JournalLocked):
        in_reactor(second.start)
    node.open_order("1")
    assert Path(node.embedded.url.removeprefix("unix://")).is_socket()  # the second one has not taken it away
    latecomer = Store.connect(node.embedded.url)
    assert latecomer.highest_numbers() == ["26030310001"]
    latecomer.close()


def test_a_ledger_that_is_stopped_while_it_is_being_opened_leaves_no_thread_and_no_redis(
    tmp_path: Path, in_reactor: InReactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path / "var", reactor)
    opens, is_opening, may_open = ledger._open, threading.Event(), threading.Event()

    def opens_late() -> bool:
        is_opening.set()
        may_open.wait(10.0)
        return opens()

    monkeypatch.setattr(ledger, "_open", opens_late)

    async def start_and_stop() -> list[str]:
        starting = ensureDeferred(ledger.start())
        ended: list[str] = []

        def note(failure: Failure) -> None:
            ended.append(type(failure.value).__name__)

        starting.addErrback(note)
        await deferToThread(is_opening.wait, 10.0)
        stopping = ensureDeferred(ledger.stop())
        may_open.set()
        await stopping
        await starting
        return ended

    assert in_reactor(start_and_stop) in (["EmbeddedRedisError"], ["StartCalledOff"])
    ours = ("journal", "applier", "embedded-redis", "PoolThread-ledger")
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(ours)] == []
    again = Ledger(tmp_path / "var", reactor)  # the folder is free, and its Redis is gone
    in_reactor(again.start)
    in_reactor(again.stop)


@pytest.fixture
def quick_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_number, "_LEASE_S", 1.5)
    monkeypatch.setattr(node_number, "_RENEW_S", 0.3)
    monkeypatch.setattr(node_number, "_LOOK_S", 0.1)


@pytest.mark.usefixtures("quick_claims")
def test_a_node_number_is_refused_while_another_node_on_this_redis_has_it(
    tmp_path: Path, in_reactor: InReactor, server: EmbeddedRedis
) -> None:
    one, other = Node(tmp_path / "one", in_reactor), Node(tmp_path / "other", in_reactor)
    one.start(redis_url=server.url)
    with pytest.raises(NodeNumberTaken, match=f"node_number 1 is in use: .*:{tmp_path}/one"):
        other.start(redis_url=server.url)
    other.start(redis_url=server.url, node_number=2)
    one.restart(redis_url=server.url)
    one.stop()
    other.restart(redis_url=server.url, node_number=1)  # which was given free
    other.stop()


@pytest.mark.usefixtures("quick_claims")
def test_a_killed_nodes_number_is_its_own_at_once_and_anothers_when_the_claim_is_over(
    tmp_path: Path, in_reactor: InReactor, server: EmbeddedRedis, store: Store
) -> None:
    store.node_claims.claim(1, f"journal {socket.gethostname()}:{tmp_path}", 60.0)
    same = NodeNumber(store.node_claims, 1, tmp_path)
    same.start("journal")
    same.stop()
    store.node_claims.claim(1, "journal elsewhere:/srv", 1.0)
    node = Node(tmp_path / "var", in_reactor)
    node.start(redis_url=server.url)
    assert node.ledger.status()["node_number_taken_by"] == ""
    node.stop()


@pytest.mark.usefixtures("quick_claims")
def test_a_number_lost_while_the_node_was_stopped_is_told_and_callers_get_their_orders(
    tmp_path: Path, in_reactor: InReactor, server: EmbeddedRedis, store: Store
) -> None:
    node = Node(tmp_path / "var", in_reactor)
    node.start(redis_url=server.url)
    store.ask(lambda redis: redis.set(store.key("node", "1"), "journal elsewhere:/srv 1", px=60_000))
    wait_until(lambda: bool(node.ledger.status()["node_number_taken_by"] == "elsewhere:/srv"))
    assert node.open_order("1").order_id == "26030310001"
    store.ask(lambda redis: redis.delete(store.key("node", "1")))
    wait_until(lambda: bool(node.ledger.status()["node_number_taken_by"] == ""))
    node.stop()
