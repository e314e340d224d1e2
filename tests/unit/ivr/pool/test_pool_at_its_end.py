"""A pool on a machine at its end: births that fail are put off, told, and made up for; no spare line is a setting."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from ivr.line import messages as m
from ivr.pool.pool import LinePool
from tests.fakes.pool import Lines, Parent, settings
from tests.unit.ivr.pool.conftest import Make


def test_with_no_spare_line_the_node_starts_and_a_caller_gets_one_that_is_born_for_them(make: Make) -> None:
    house = make(spare=0)
    first = house.take()
    house.lines.run(5)
    assert house.pool.status()["free"] == 0
    assert house.pool.status()["can_grow"] == 1
    assert house.pool.take() is None
    house.lines.pump([0.02, 0.02])
    second = house.pool.take()
    assert second is not None
    for slot in (first, second):
        slot.release()


def refuse(parent: Parent, number: int) -> None:
    said = {"refused": number, "error": "Resource temporarily unavailable"}
    parent.protocol.outReceived(json.dumps(said).encode() + b"\n")


def test_births_that_fail_are_put_off_longer_each_time_and_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    house, asked = make(count=8), []

    def refuse_all(parent: Parent, text: bytes) -> None:
        for line in map(json.loads, text.splitlines()):
            if "line" in line:
                asked.append(line["line"])
                parent.lines.callLater(0, refuse, parent, line["line"])

    with monkeypatch.context() as patched:
        patched.setattr(Parent, "write", refuse_all)
        slots = [house.take(), house.take()]
        house.lines.run(600)
        assert len(asked) < 60  # a pair every half minute, and not one at every turn of the loop
        assert house.pool.status()["is_failing"] == 1
        assert house.pool.status()["can_grow"] == 0
    house.lines.run(40)
    assert house.pool.status()["is_failing"] == 0
    assert house.pool.status()["free"] == 2
    for slot in slots:
        slot.release()


def test_a_warm_parent_that_cannot_be_started_is_tried_again() -> None:
    lines = Lines()
    spawn: Callable[..., Any] = lines.spawn
    tries: list[float] = []

    def fail_at_first(*args: Any) -> Any:
        tries.append(lines.seconds())
        if len(tries) < 3:
            raise OSError(24, "Too many open files")
        return spawn(*args)

    pool = LinePool(settings(), lambda: m.LineConfig(line=0, socket_path=""), lines, spawn=fail_at_first)
    started = ensureDeferred(pool.start())
    lines.run(5)
    assert (len(tries), started.called) == (3, True)
    stopped = ensureDeferred(pool.stop())
    lines.run(10)
    assert stopped.called


def test_a_warm_parent_that_hangs_is_told_and_replaced_once_nobody_talks(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make(count=4)
    house.lines.run(30)
    ended: list[Parent] = []
    parent = house.lines.parents[0]

    def kill() -> None:
        ended.append(parent)
        parent.end()

    monkeypatch.setattr(parent.protocol, "kill_itself", kill)
    house.lines.answers = False
    slot = house.take()
    house.lines.run(8)
    assert house.pool.status()["is_failing"] == 1
    assert not ended  # who talks goes on
    slot.release()
    house.lines.answers = True
    house.lines.run(20)
    assert ended
    assert house.pool.status()["is_failing"] == 0
    assert house.pool.status()["free"] == 2
