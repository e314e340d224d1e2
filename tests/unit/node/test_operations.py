"""Reading a running node: recordings of ours only, one report for those who ask together, happenings told at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders.verdict import OWN_RULE
from callback_scheduler.reports.report import Question, Report
from callback_scheduler.store.store import EventOutcome
from config.hours import HoursSettings
from ivr.refused import OperationRefused
from node.operations.happenings import HappeningsFeed, Topic
from node.operations.operations import NodeOperations
from node.operations.reports import Reports
from routing.hours import Hours
from tests.fakes.orders import done, moment

ASKED = Question(moment("03-04 09:00"), OWN_RULE, date(2026, 3, 1))


class House(NodeOperations):
    """The reads of a node with nothing but a folder of recordings and a ledger that makes reports."""

    def __init__(self, recordings: Path) -> None:
        self.made: list[Report] = []
        self._recordings = recordings
        ledger: Any = SimpleNamespace(read=self._read, orders=SimpleNamespace(orders_of=self._none))
        office: Any = SimpleNamespace(
            directory=SimpleNamespace(units=()), hours=Hours(HoursSettings()), calendar=None
        )
        self._reports = Reports(ledger, office)

    async def _read(self, work: Callable[[Any], Report]) -> Report:
        empty_store = SimpleNamespace(records=SimpleNamespace(facts=lambda kind, since, until: iter(())))
        self.made.append(work(empty_store))
        return self.made[-1]

    async def _none(self, *_: Any) -> list[Any]:
        return []

    def answer(self, question: Question) -> Report:
        report: Report = done(ensureDeferred(self.report(question)))
        return report


@pytest.fixture
def house(tmp_path: Path) -> House:
    folder = tmp_path / "recordings"
    (folder / "2026/03/04").mkdir(parents=True)
    (folder / "2026/03/04/a-talk.wav").write_bytes(b"RIFF")
    (tmp_path / "secret.wav").write_bytes(b"RIFF")
    (folder / "notes.txt").write_bytes(b"x")
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    return House(folder)


def test_a_recording_is_found_by_the_path_of_its_record(house: House, tmp_path: Path) -> None:
    file = tmp_path / "recordings/2026/03/04/a-talk.wav"
    assert house.recording(str(file)) == file
    assert house.recording("2026/03/04/a-talk.wav") == file


@pytest.mark.parametrize("path", [
    "../secret.wav", "2026/../../secret.wav", "/etc/passwd", "link.wav", "notes.txt", "a\0.wav",
    "x" * 5000 + ".wav", "",
])  # fmt: skip
def test_nothing_but_recordings_of_ours_is_given_out(house: House, path: str) -> None:
    with pytest.raises(OperationRefused) as refused:
        house.recording(path)
    assert refused.value.key in ("recording.foreign", "recording.gone")
    assert path.startswith("x") or refused.value.key == "recording.foreign"


def test_a_recording_that_was_deleted_is_gone(house: House) -> None:
    with pytest.raises(OperationRefused, match="录音已不存在"):
        house.recording("2026/03/04/b-talk.wav")


def test_two_who_ask_the_same_within_seconds_get_one_report(house: House) -> None:
    first = house.answer(ASKED)
    assert house.answer(replace(ASKED, at=moment("03-04 09:00:04"))) is first
    assert house.answer(replace(ASKED, unit_id="tax")) is not first
    assert house.answer(replace(ASKED, at=moment("03-04 09:00:06"))) is not first
    assert len(house.made) == 3


# -- happenings -------------------------------------------------------------------------------------------------------


def test_a_listener_that_fails_harms_neither_calls_nor_other_listeners() -> None:
    feed, heard = HappeningsFeed(), []

    def fails(topic: Topic, fields: dict[str, Any]) -> None:
        raise RuntimeError("a page is broken")

    feed.subscribe(fails)
    leave = feed.subscribe(lambda topic, fields: heard.append((topic.value, fields)))
    feed.tell(Topic.LINES, {"free": 3})
    broken_call: Any = SimpleNamespace(log=SimpleNamespace(exception=lambda *_, **__: None))
    feed.on_call("step", broken_call)
    leave()
    leave()
    feed.tell(Topic.LINES, {"free": 2})
    assert heard == [("lines", {"free": 3})]


def test_an_order_is_told_of_with_its_unit_and_what_happened() -> None:
    feed, heard = HappeningsFeed(), []
    names = ("what", "order_id", "unit_id")
    feed.subscribe(lambda topic, fields: heard.append((topic.value, *(fields[name] for name in names))))
    outcome = EventOutcome("applied", "26030310001", unit_id="tax")
    for event_type, payload in (
        ("order_opened", {"order_id": "26030310002"}),
        ("order_changed", {"order_id": "26030310001", "event": "acknowledged", "state_to": "acknowledged"}),
        ("order_noted", {"order_id": "26030310001", "note": "answer_written"}),
    ):
        feed.on_event(JournalEvent.new(event_type, payload, moment("03-04 09:00")), outcome)
    assert heard == [("order", what, "26030310001", "tax") for what in ("opened", "acknowledged", "answer_written")]
