"""Prompts changed while the node runs, with the real voice: tried out first, heard at once, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import succeed

from callback_scheduler.orders.actor import Actor
from config.settings import PromptSettings, Settings
from ivr.refused import OperationRefused
from ivr.speech.prompts import Prompt, PromptBook
from node.operations.happenings import HappeningsFeed
from node.operations.site.changes import SiteChanges
from node.operations.site.prompts import PromptOperations
from tests.fakes.orders import moment
from tests.unit.ivr.speech.test_prompts import PROMPTS, Machine, now, recording

ADMIN = Actor.read("admin:陈管理")


class Studio:
    """The prompts of a node that was started on a data folder."""

    def __init__(self, data_dir: Path, cache: Path, machine: Machine) -> None:
        settings = Settings(prompts=PromptSettings(directory=PROMPTS))
        self.book = PromptBook(settings.prompts, cache, machine, changes=data_dir / "site" / "prompts")
        now(self.book.warm())
        self.written: list[dict[str, Any]] = []
        ledger: Any = self
        clock: Any = SimpleNamespace(now=lambda: moment("03-04 08:30"))

        def in_thread(work: Any, *args: Any) -> Any:
            return succeed(work(*args))

        changes = SiteChanges(data_dir, ledger, HappeningsFeed(), clock, in_thread=in_thread)
        self.operations = PromptOperations(changes, self.book, settings.prompts.language, in_thread=in_thread)

    async def write(self, event_type: str, payload: dict[str, Any], at: Any) -> None:
        self.written.append(payload)

    def do(self, act: str, *args: Any) -> None:
        now(getattr(self.operations, act)(*args))

    def refusal(self, act: str, *args: Any) -> str:
        with pytest.raises(OperationRefused) as refused:
            self.do(act, *args)
        return refused.value.key

    def greeting(self) -> dict[str, Any]:
        return next(prompt for prompt in self.operations.list_prompts() if prompt["name"] == "greeting")


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    for worker in machine.workers:
        worker.closeStdin()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prompts")  # each sentence is made once


@pytest.fixture
def studio(tmp_path: Path, cache: Path, machine: Machine) -> Studio:
    return Studio(tmp_path, cache, machine)


def test_another_text_is_heard_at_once_and_after_a_restart_and_taken_back_after_one(
    studio: Studio, tmp_path: Path, cache: Path, machine: Machine
) -> None:
    before = studio.book.files_now(Prompt.GREETING)
    studio.do("set_text", "greeting", "您好，春节快乐，通话将录音。", ADMIN)
    assert studio.book.files_now(Prompt.GREETING) != before
    assert studio.operations.wav("greeting").read_bytes()[:4] == b"RIFF"
    again = Studio(tmp_path, cache, machine)
    assert again.book.text(Prompt.GREETING) == "您好，春节快乐，通话将录音。"
    assert again.greeting()["is_changed"]
    again.do("undo", "greeting", ADMIN)
    assert again.book.files_now(Prompt.GREETING) == before
    assert not again.greeting()["is_changed"]
    assert [change["is_undo"] for change in (*studio.written, *again.written)] == [False, True]
    assert again.refusal("undo", "greeting", ADMIN) == "site.nothing_to_undo"


def test_every_prompt_is_measured_as_it_sounds_now(studio: Studio) -> None:
    figures = now(studio.operations.figures())
    assert set(figures) == {prompt.value for prompt in Prompt}
    assert 1.0 < figures["greeting"]["seconds"] < Prompt.GREETING.limit_s
    assert -45.0 < figures["greeting"]["level_dbfs"] < figures["greeting"]["peak_dbfs"] <= 0.0
    assert not figures["greeting"]["is_clipped"]
    studio.do("set_text", "greeting", "好。", ADMIN)
    assert now(studio.operations.figures())["greeting"]["seconds"] < figures["greeting"]["seconds"]


def test_a_recording_is_heard_and_a_text_typed_later_takes_its_place(studio: Studio, tmp_path: Path) -> None:
    recording(tmp_path / "made" / "x.wav", 1.5)
    wav = (tmp_path / "made" / "x.wav").read_bytes()
    studio.do("set_recording", "greeting", wav, ADMIN)
    assert studio.greeting()["is_recorded"]
    studio.do("set_text", "greeting", "您好。", ADMIN)
    assert not studio.greeting()["is_recorded"]
    assert studio.book.text(Prompt.GREETING) == "您好。"
    studio.do("undo", "greeting", ADMIN)
    studio.do("undo", "greeting", ADMIN)
    assert studio.greeting()["is_recorded"]


def test_what_cannot_be_said_or_played_is_refused_and_nothing_changes(studio: Studio) -> None:
    before = studio.book.files_now(Prompt.GREETING)
    assert studio.refusal("set_recording", "greeting", b"no sound", ADMIN) == "prompt.not_playable"
    assert studio.refusal("set_recording", "menu", b"RIFF", ADMIN) == "prompt.takes_values"
    assert studio.refusal("set_text", "menu", "请选择。", ADMIN) == "prompt.bad_text"
    assert studio.refusal("set_text", "greeting", "{name}您好", ADMIN) == "prompt.bad_text"
    assert studio.refusal("set_text", "../greeting", "您好", ADMIN) == "prompt.unknown"
    assert studio.refusal("set_text", "greeting", " ", ADMIN) == "prompt.text_length"
    assert studio.book.files_now(Prompt.GREETING) == before
    assert not studio.written
