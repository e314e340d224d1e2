"""A second node on a folder harms nothing there, and a ledger stopped in mid-start leaves nothing behind."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from callback_scheduler.errors import JournalLocked
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.store.store import Store
from tests.redis.nodes import InReactor, Node


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
