"""A rehearsal: real timetable, journal and Redis, the same by seed, its figures counted again from the events."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor

import config
from callback_scheduler.journal.journal import Journal, JournalEvent
from callback_scheduler.orders.order import Order
from callback_scheduler.rehearsal.rehearsal import Rehearsal, rehearse
from routing.clock import SHANGHAI
from routing.site import Site, load_site
from tests.redis.nodes import InReactor

ROOT = Path(__file__).resolve().parents[2]
CALLS, FEW_CALLS = 500, 60
HOLIDAY = {
    "since": datetime(2026, 2, 14, tzinfo=SHANGHAI),
    "until": datetime(2026, 2, 24, tzinfo=SHANGHAI),
}
_RUNG = {"enterprise_busy", "enterprise_no_answer", "enterprise_refused", "talk_too_short"}


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


def play(site: Site, folder: Path, in_reactor: InReactor, seed: int, calls: int = FEW_CALLS) -> Rehearsal:
    played: Rehearsal = in_reactor(rehearse, site, folder, reactor, orders=calls, seed=seed, **HOLIDAY)
    return played


@pytest.fixture(scope="module")
def played(site: Site, tmp_path_factory: pytest.TempPathFactory, in_reactor: InReactor) -> tuple[Rehearsal, Path]:
    folder = tmp_path_factory.mktemp("rehearsal")
    return play(site, folder, in_reactor, seed=7, calls=CALLS), folder


def events_in(folder: Path) -> list[JournalEvent]:
    journal = Journal(folder / "journal", reactor)
    journal.open()
    try:
        return [event for _, event in journal.replay()]
    finally:
        journal.close()


class _Told:
    """One order, as its events alone tell of it."""

    def __init__(self, opened: dict[str, Any]) -> None:
        self.due_at = datetime.fromisoformat(opened["due_at"])
        self.who = (opened["callback_number"], opened["matter_id"])
        self.unit_id = opened["unit_id"]
        self.attempts: dict[str, dict[str, Any]] = {}
        self.is_open = True
        self.is_frozen = False

    @property
    def verdict(self) -> str:
        talks = [
            datetime.fromisoformat(one["evidence"]["talk_began_at"])
            for one in self.attempts.values() if one["outcome"] == "reached"
        ]  # fmt: skip
        if talks and min(talks) < self.due_at:
            return "on_time"
        rung = [
            one for one in self.attempts.values()
            if one["outcome"] in _RUNG and datetime.fromisoformat(one["enterprise_rung_at"]) < self.due_at
        ]  # fmt: skip
        if len(rung) >= 3:
            return "attempted"
        return "late" if talks else "missed"


def told_by(events: list[JournalEvent]) -> dict[str, _Told]:
    orders: dict[str, _Told] = {}
    for event in events:
        payload = event.payload
        if event.event_type == "order_opened":
            told = _Told(payload)
            if not any(other.is_open and other.who == told.who for other in orders.values()):
                orders[payload["order_id"]] = told
        elif event.event_type in ("order_changed", "order_noted"):
            told = orders[payload["order_id"]]
            told.is_open = payload.get("is_open", told.is_open)
            told.is_frozen |= payload.get("note") == "breach_frozen"
            if "attempt" in payload:
                told.attempts[payload["attempt"]["attempt_id"]] = payload["attempt"]
    return orders


def test_its_figures_are_those_of_an_independent_count_of_the_events(played: tuple[Rehearsal, Path]) -> None:
    rehearsal, folder = played
    counted = told_by(events_in(folder))
    assert {kind.value: n for kind, n in rehearsal.verdicts().items()} == Counter(
        told.verdict for told in counted.values()
    )
    assert sorted(order.order_id for order in rehearsal.breaches) == sorted(
        order_id for order_id, told in counted.items() if told.is_frozen
    )
    for unit_id in {told.unit_id for told in counted.values()}:
        by_unit = Counter(told.verdict for told in counted.values() if told.unit_id == unit_id)
        assert {kind.value: n for kind, n in rehearsal.verdicts(unit_id).items()} == by_unit


def test_every_order_of_the_holiday_gets_a_verdict(played: tuple[Rehearsal, Path]) -> None:
    rehearsal, _ = played
    assert rehearsal.calls == CALLS
    assert len(rehearsal.orders) + sum(len(order.merged_calls) for order in rehearsal.orders) == CALLS
    assert not {kind.value for kind in rehearsal.verdicts()} & {"not_yet_due", "merged"}
    assert all(order.breach_cause for order in rehearsal.breaches)


def test_no_order_is_dialled_before_its_morning_nor_twice_at_once(played: tuple[Rehearsal, Path]) -> None:
    rehearsal, _ = played
    for order in rehearsal.orders:
        for before, after in pairwise(order.attempts):
            assert before.ended_at is not None
            assert before.ended_at <= after.begun_at
        assert all(f"{attempt.begun_at:%H:%M}" >= "09:00" for attempt in order.attempts)


def comparable(rehearsal: Rehearsal) -> list[Order]:
    """All of it but the epochs, which are times of this machine."""
    return [
        replace(order, attempts=tuple(replace(attempt, epoch=0) for attempt in order.attempts))
        for order in rehearsal.orders
    ]


def test_the_same_seed_comes_to_the_same_end_and_another_to_another(
    site: Site, tmp_path: Path, in_reactor: InReactor
) -> None:
    once = comparable(play(site, tmp_path / "once", in_reactor, seed=7))
    assert comparable(play(site, tmp_path / "again", in_reactor, seed=7)) == once
    assert comparable(play(site, tmp_path / "other", in_reactor, seed=8)) != once


def test_the_command_prints_figures_by_unit_and_the_orders_that_would_breach() -> None:
    def printed(*options: str) -> str:
        period = ["--from", "2026-03-02", "--to", "2026-03-03", "--orders", "12", "--seed", "3"]
        command = [sys.executable, str(ROOT / "hotline.py"), "rehearse", *period, *options]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    told = json.loads(printed("--json"))
    assert told["calls"] == 12
    assert sum(told["verdicts"].values()) == told["orders"] == sum(
        sum(unit["verdicts"].values()) for unit in told["units"]
    )
    table = printed()
    assert f"将逾期 {len(told['breaches'])} 件" in table
    assert all(breach["order_id"] in table for breach in told["breaches"])
