"""A backup of a node at work, restored on an empty machine: the same orders."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

import hotline
from callback_scheduler.backup.archive import back_up
from callback_scheduler.backup.restore import restore
from callback_scheduler.errors import RestoreCutOff
from callback_scheduler.ledger.verification import verify
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderEvent
from callback_scheduler.timetable.housekeeping import Housekeeping
from config.keeping import KeepingSettings
from node.data_dir import DataDirHold
from tests.fakes.orders import done
from tests.redis.nodes import EVENING, InReactor, Node, draft


def orders_of(node: Node) -> dict[str, Order]:
    """Return everything that is known of all orders; how often the store was written to is no part of it."""
    return {order.order_id: order for order in node.ask("orders.latest", 1000)}


async def begin(node: Node, number: str) -> list[Deferred[Any]]:
    """Let a caller come in, and do not wait for his number; a list, since a Deferred would be waited for."""
    return [ensureDeferred(node.ledger.open_order(draft(number)))]


async def wait(opened: list[Deferred[Any]]) -> None:
    await opened[0]


@pytest.fixture
def other_machine(tmp_path: Path, in_reactor: InReactor) -> Any:
    made = Node(tmp_path / "other" / "var", in_reactor)
    yield made
    if hasattr(made, "ledger"):
        made.stop()


def test_a_live_node_is_backed_up_and_the_restored_one_has_the_same_orders(
    node: Node, other_machine: Node, tmp_path: Path
) -> None:
    node.start()
    for number in range(40):
        node.open_order(str(number % 30))
    first = node.ask("orders.latest", 1000)[-1].order_id
    for event in (OrderEvent.SENT, OrderEvent.ACKNOWLEDGED):
        node._in_reactor(
            node.ledger.orders.change_order, first, event, who="unit:tax:王", why="", at=EVENING + timedelta(minutes=1)
        )
    node.settle()
    before = orders_of(node)
    position = node.ledger.status()["journal"]["position"]
    back_up(node.data_dir, {}, tmp_path / "b.tar.gz", EVENING, until=position)
    for number in range(100, 110):
        node.open_order(str(number))  # life goes on, and is not in the backup
    restored = restore(tmp_path / "b.tar.gz", other_machine.data_dir)
    assert restored.position == position
    assert verify(other_machine.data_dir / "journal").is_whole
    other_machine.start()
    other_machine.settle()
    assert orders_of(other_machine) == before
    assert other_machine.open_order("new").order_id not in before


def test_no_number_of_the_lost_time_is_given_again_however_often_a_backup_is_restored(
    node: Node, tmp_path: Path, in_reactor: InReactor
) -> None:
    node.start()
    node.open_order("1")
    node.settle()
    back_up(node.data_dir, {}, tmp_path / "b.tar.gz", EVENING)
    given = [node.open_order(str(n)).order_id for n in range(2, 9)]  # callers have these, and the machine burns
    for n, minutes in enumerate((30, 34, 24 * 60 + 30)):
        again = Node(tmp_path / f"again{n}", in_reactor)
        restore(tmp_path / "b.tar.gz", again.data_dir, EVENING + timedelta(minutes=minutes))
        again.start()
        given += [again.open_order(f"{n}0{one}").order_id for one in range(3)]
        given.append(again.open_order(f"{n}10", after=timedelta(days=1)).order_id)
        assert len(given[-1]) == len("26030413450001")
        assert again.open_order(f"{n}11", after=timedelta(days=3)).order_id == "26030610001"  # nothing was lost then
        again.settle()
        archive = tmp_path / f"of{n}.tar.gz"
        back_up(again.data_dir, {}, archive, EVENING)
        twice = Node(tmp_path / f"twice{n}", in_reactor)
        restore(archive, twice.data_dir, EVENING + timedelta(minutes=minutes))  # in the same minute
        twice.start()
        given.append(twice.open_order("x").order_id)
        twice.stop()
        again.stop()
    assert len(set(given)) == len(given), given


# kills itself before one of the steps of a restore, or between two of the moves that end it
_KILLED_RESTORE = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from callback_scheduler.backup import restore
archive, data_dir, step, nth, at = sys.argv[1:]
owner, calls = (Path if step == "rename" else restore), []
real = getattr(owner, step)
def instead(*args, **named):
    calls.append(args)
    if len(calls) > int(nth):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **named)
setattr(owner, step, instead)
restore.restore(Path(archive), Path(data_dir), datetime.fromisoformat(at))
"""


@pytest.mark.parametrize(("step", "nth"), [
    ("_save", 2), ("_check_journal", 0), ("_note_restoring", 0), ("_fence", 0), ("_put_in_place", 0),
    ("rename", 0), ("rename", 1), ("rename", 2), ("Restored", 0),
])  # fmt: skip
def test_a_restore_that_is_killed_is_seen_by_the_node_and_can_be_made_again(
    node: Node, other_machine: Node, tmp_path: Path, step: str, nth: int
) -> None:
    node.start()
    given = [node.open_order(str(number)).order_id for number in range(5)]
    node.settle()
    before, archive = orders_of(node), tmp_path / "b.tar.gz"
    back_up(node.data_dir, {}, archive, EVENING)
    given.append(node.open_order("lost").order_id)
    folder, at = other_machine.data_dir, EVENING + timedelta(minutes=30)
    command = [sys.executable, "-c", _KILLED_RESTORE, str(archive), str(folder), step, str(nth), at.isoformat()]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    if not (folder / "journal").exists():
        with pytest.raises(RestoreCutOff, match="half restored"):
            restore(archive, folder, at)
        with pytest.raises(RestoreCutOff):
            in_no_time(DataDirHold(folder).take())
        shutil.rmtree(folder)
        restore(archive, folder, at)
    in_no_time(hold_once(folder))
    assert not list(folder.glob(".restore-*"))
    other_machine.start()
    other_machine.settle()
    assert orders_of(other_machine) == before
    assert other_machine.open_order("new").order_id not in given
    assert verify(folder / "journal").is_whole


def in_no_time(work: Awaitable[None]) -> None:
    """Run what waits for nothing."""
    done(ensureDeferred(work))  # type: ignore[arg-type]


async def hold_once(folder: Path) -> None:
    hold = DataDirHold(folder)
    await hold.take()
    await hold.let_go()


def test_a_backup_taken_while_callers_come_in_holds_every_order_of_before(
    node: Node, other_machine: Node, tmp_path: Path
) -> None:
    node.start()
    told = [node.open_order(f"a{number}").order_id for number in range(20)]
    waiting = [node._in_reactor(begin, node, f"b{number}") for number in range(200)]
    back_up(node.data_dir, {}, tmp_path / "b.tar.gz", EVENING)
    for opened in waiting:
        node._in_reactor(wait, opened)
    restore(tmp_path / "b.tar.gz", other_machine.data_dir)
    other_machine.start()
    other_machine.settle()
    assert set(told) <= set(orders_of(other_machine))


def test_the_commands_back_up_and_restore_a_site(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node.start()
    node.open_order("13800000001")
    archive, empty = tmp_path / "b.tar.gz", tmp_path / "empty"
    assert hotline.main(["backup", str(archive), "--data-dir", str(node.data_dir)]) == 0
    assert "journal up to record 1" in capsys.readouterr().out
    assert hotline.main(["restore", str(archive), "--data-dir", str(empty)]) == 0
    said = capsys.readouterr().out
    assert "journal whole up to record 1" in said
    assert f"Orders name their recordings below {node.data_dir}" in said
    names = sorted(path.name for path in (empty / "restored-config").iterdir())
    assert {"hotline.yaml", "units.yaml", "matters.yaml"} <= set(names)
    assert hotline.main(["restore", str(archive), "--data-dir", str(empty)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert hotline.main(["backup", str(archive), "--data-dir", str(tmp_path / "nowhere")]) == 2
    assert "there is no journal" in capsys.readouterr().err


def test_what_an_older_archive_holds_is_forgotten_when_its_node_runs_and_the_archive_says_when_it_must_go(
    node: Node, other_machine: Node, tmp_path: Path, in_reactor: InReactor, capsys: pytest.CaptureFixture[str]
) -> None:
    node.start()
    closed, owed = node.open_order("13800138001"), node.open_order("13800138002")
    in_reactor(node.ledger.orders.change_order, closed.order_id, OrderEvent.CLOSED, who="operator", at=EVENING)
    node.settle()
    assert back_up(node.data_dir, {}, tmp_path / "b.tar.gz", EVENING, keep_days=100).keep_until == date(2026, 6, 11)
    assert hotline.main(["restore", str(tmp_path / "b.tar.gz"), "--data-dir", str(other_machine.data_dir)]) == 0
    assert "may be kept until 2026-06-11" in capsys.readouterr().out
    other_machine.start()
    other_machine.settle()
    recordings = other_machine.data_dir / "recordings"
    house = Housekeeping(other_machine.ledger, KeepingSettings(keep_days=100), None, recordings)  # type: ignore[arg-type]
    in_reactor(house.run, EVENING.replace(hour=0) + timedelta(days=400))  # nobody has called yet, nor is it 03:30
    assert [order.order_id for order in other_machine.ask("orders.latest")] == [owed.order_id]
    files = [path.read_bytes() for path in other_machine.data_dir.rglob("*") if path.is_file()]
    assert not any(b"13800138001" in content for content in files)
    assert any(b"13800138002" in content for content in files)
    assert verify(other_machine.data_dir / "journal").forgotten > 0
    in_reactor(house.run, EVENING + timedelta(days=800))  # once only: a clock may be wrong by now
    assert not other_machine.ledger.was_restored
