"""The node begins its rooms in order, and ends those that began, the last first; also when a start fails half way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

import config
import hotline
import node.node as node_module
from callback_scheduler.errors import StartCalledOff
from callback_scheduler.journal.keys import KeyName
from node.data_dir import DataDirHold
from node.node import Node
from routing.clock import SystemClock
from routing.site import load_site
from tests.fakes.orders import done

ROOMS = ("ledger", "notices", "prompts", "door", "pool", "desk", "timetable", "callbacks", "control")
BEGIN = {"prompts": "warm"}


class House:
    """A node whose rooms only note when they begin and end; `fails` is the room that does not begin."""

    def __init__(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch, fails: str = "") -> None:
        site = load_site(Path(config.__file__).parent / "hotline.yaml")
        settings = site.settings.model_copy(update={"data_dir": data_dir})
        site = type(site)(settings, site.directory, site.calendar, site.hours)
        self.log: list[str] = []
        self.fails = fails
        self.node = Node(site, SystemClock(), lambda *_: self._console())
        for room in ROOMS:
            part = getattr(self.node, f"_{room}")
            is_coroutine = room not in ("timetable", "control")
            if room not in ("desk", "callbacks"):
                monkeypatch.setattr(part, BEGIN.get(room, "start"), self._begins(room, is_coroutine))
            monkeypatch.setattr(part, "stop", self._ends(room))
        monkeypatch.setattr(self.node.operations, "start", self._begins("operations", True))
        monkeypatch.setattr(self.node.operations, "stop", self._ends("operations"))
        monkeypatch.setattr(node_module, "recover", self._begins("recovery", True))

    def _console(self) -> Any:
        class Console:
            forget = staticmethod(self._hears("console"))
            start = staticmethod(self._begins("console", True))
            stop = staticmethod(self._ends("console"))

        return Console()

    def _hears(self, room: str) -> Callable[..., Any]:
        async def hear(*told: Any) -> None:
            self.log.append(f"{room} forgets {told}")

        return hear

    def _note(self, room: str) -> None:
        self.log.append(f"{room} begins")
        if room == self.fails:
            raise RuntimeError(room)

    def _begins(self, room: str, is_coroutine: bool) -> Callable[..., Any]:
        async def begin(*_: Any) -> None:
            self._note(room)

        return begin if is_coroutine else lambda *_: self._note(room)

    def _ends(self, room: str) -> Callable[..., Any]:
        async def end(*_: Any) -> None:
            self.log.append(f"{room} ends")

        return end


def test_rooms_begin_in_order_and_end_with_the_callers_released_before_the_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, monkeypatch)
    done(ensureDeferred(house.node.start()))
    assert house.log == [
        f"{room} begins"
        for room in ("ledger", "notices", "recovery", "operations", "prompts", "door", "pool", "timetable", "control",
                     "console")
    ]  # fmt: skip
    house.log.clear()
    done(ensureDeferred(house.node.stop()))
    assert house.log == [
        f"{room} ends"
        for room in ("control", "console", "callbacks", "timetable", "operations", "desk", "pool", "door", "prompts",
                     "notices", "ledger")
    ]  # fmt: skip


@pytest.mark.parametrize(("fails", "ends"), [
    ("ledger", ["ledger"]),
    ("recovery", ["notices", "ledger"]),
    ("door", ["door", "prompts", "notices", "ledger"]),
    ("timetable", ["timetable", "operations", "desk", "pool", "door", "prompts", "notices", "ledger"]),
    ("console", ["control", "console", "callbacks", "timetable", "operations", "desk", "pool", "door", "prompts",
                 "notices", "ledger"]),
])  # fmt: skip
def test_a_start_that_fails_half_way_ends_what_had_begun_the_last_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, ends: list[str]
) -> None:
    house = House(tmp_path, monkeypatch, fails)
    with pytest.raises(RuntimeError, match=fails):
        done(ensureDeferred(house.node.start()))
    house.log.clear()
    done(ensureDeferred(house.node.stop()))
    assert house.log == [f"{room} ends" for room in ends]


def test_a_room_that_does_not_end_keeps_no_other_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path, monkeypatch)
    done(ensureDeferred(house.node.start()))

    async def breaks() -> None:
        raise RuntimeError("the door is stuck")

    house.node._begun.push_async_callback(breaks)
    house.log.clear()
    with pytest.raises(RuntimeError, match="stuck"):
        done(ensureDeferred(house.node.stop()))
    assert house.log[0] == "control ends"
    assert house.log[-1] == "ledger ends"


def test_every_room_that_knows_of_callers_is_told_to_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path, monkeypatch)
    before, kept = datetime(2026, 3, 3, tzinfo=timezone.utc), frozenset({KeyName("20260303", "26030310007")})
    monkeypatch.setattr(house.node._notices, "forget", house._hears("notices"))
    monkeypatch.setattr(house.node._prompts, "forget", lambda at: house.log.append(f"prompts forget {at}"))

    async def at_once(work: Callable[..., Any], *told: Any) -> Any:
        return work(*told)

    monkeypatch.setattr(node_module, "deferToThread", at_once)
    done(ensureDeferred(house.node._forget_too(before, kept)))  # while the console is not open yet
    assert house.log == [f"notices forgets ({before!r},)", f"prompts forget {before}"]
    done(ensureDeferred(house.node.start()))
    done(ensureDeferred(house.node._forget_too(before, kept)))
    assert house.log[-1] == f"console forgets {(before, kept)}"


def test_a_node_told_to_stop_in_mid_start_begins_no_further_room_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room, attribute in (("ledger", "start"), ("prompts", "warm"), ("pool", "start")):
        house = House(tmp_path / room, monkeypatch)
        waiting: Deferred[None] = Deferred()
        begins = getattr(getattr(house.node, f"_{room}"), attribute)

        async def begin_slowly(*args: Any, begins: Any = begins, waiting: Deferred[None] = waiting) -> None:
            await begins(*args)
            await waiting

        monkeypatch.setattr(getattr(house.node, f"_{room}"), attribute, begin_slowly)
        starting = ensureDeferred(house.node.start())
        done(ensureDeferred(house.node.stop()))
        so_far = list(house.log)
        waiting.callback(None)
        with pytest.raises(StartCalledOff):
            done(starting)
        assert house.log == so_far
        begun = [line.removesuffix(" begins") for line in so_far if line.endswith(" begins")]
        ended = [line.removesuffix(" ends") for line in so_far if line.endswith(" ends")]
        assert ended == [name for name in reversed(begun) if name not in ("recovery", "operations")]


def test_a_second_node_on_a_data_dir_touches_nothing_in_it_and_says_what_to_do(tmp_path: Path) -> None:
    hold = DataDirHold(tmp_path)
    done(ensureDeferred(hold.take()))
    serve = [sys.executable, hotline.__file__, "serve", "--data-dir", str(tmp_path)]
    served = subprocess.run(serve, capture_output=True, text=True, check=False, timeout=60)
    (told,) = (entry for entry in map(json.loads, served.stderr.splitlines()) if entry["event"] == "start_failed")
    assert served.returncode == 1
    assert told["error"] == f"{tmp_path} is in use by the node with process id {os.getpid()}"
    assert "--data-dir" in told["what_to_do"]
    assert [path.name for path in tmp_path.iterdir()] == ["node.lock"]
    done(ensureDeferred(hold.let_go()))
    again = DataDirHold(tmp_path)
    done(ensureDeferred(again.take()))
    done(ensureDeferred(again.let_go()))
