"""The prompt book with the real voice: every prompt of both languages, recordings of a site, and what may fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

import config
from config.errors import ConfigError
from config.settings import PromptSettings
from ivr.speech import prompt_report
from ivr.speech.prompts import Prompt, PromptBook, SpeechFailed
from ivr.speech.speech import Sound

PROMPTS = Path(config.__file__).parent / "prompts"
DUE = datetime(2026, 2, 24, 10, 0, tzinfo=timezone(timedelta(hours=8)))


class RealWorker:
    """The real speech worker behind the face of a Twisted process: each request is answered before `write` returns."""

    def __init__(self, protocol: Any, command: list[str], env: dict[str, str]) -> None:
        self.protocol = protocol
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()
        self.protocol.outReceived(self.process.stdout.readline())

    def closeStdin(self) -> None:
        self.process.communicate(timeout=5)


class Machine(Clock):
    """A reactor with a virtual clock and real speech workers, or none at all."""

    def __init__(self) -> None:
        super().__init__()
        self.is_mute = False
        self.workers: list[RealWorker] = []

    def spawnProcess(self, protocol: Any, _name: str, command: list[str], env: dict[str, str]) -> Any:
        if self.is_mute:
            return Mute()
        self.workers.append(RealWorker(protocol, command, env))
        return self.workers[-1]


class Mute:
    """A worker that never answers."""

    def write(self, line: bytes) -> None:
        pass

    def signalProcess(self, signal: str) -> None:
        pass


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    for worker in machine.workers:
        worker.closeStdin()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prompts")  # one for all tests here: each sentence is made once


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of prompts of a site's own."""
    for language in ("zh", "en"):
        (tmp_path / f"{language}.yaml").write_bytes((PROMPTS / f"{language}.yaml").read_bytes())
    return tmp_path


def now(coroutine: Any) -> Any:
    """Return the result of a coroutine that has nothing to wait for."""
    results: list[Any] = []
    wait: Deferred[Any] = ensureDeferred(coroutine)
    wait.addBoth(results.append)
    assert results, "still waiting"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


def book(machine: Machine, cache: Path, folder: Path = PROMPTS, **settings: Any) -> PromptBook:
    return PromptBook(PromptSettings(directory=folder, **settings), cache, machine)


def recording(path: Path, seconds: float = 1.0, loudness: float = 0.2, rate_hz: int = 44100) -> None:
    path.parent.mkdir(exist_ok=True)
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    soundfile.write(path, np.clip(np.sin(2 * np.pi * 440 * t) * loudness, -1, 1), rate_hz)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_shipped_prompt_is_too_long_silent_clipped_or_misread(
    machine: Machine, cache: Path, language: str
) -> None:
    rows = now(prompt_report.report(book(machine, cache, language=language)))
    assert [row.key for row in rows] == [prompt.value for prompt in Prompt]
    assert [(row.key, row.flags) for row in rows if row.flags] == []
    assert all(-24.5 <= row.level_dbfs <= -14.5 and row.peak_dbfs <= -2.9 for row in rows)


def test_chinese_prompts_are_spoken_at_four_to_five_and_a_half_syllables_a_second(
    machine: Machine, cache: Path
) -> None:
    rows = now(prompt_report.report(book(machine, cache)))
    plain = [row for row in rows if row.source == "synthesised" and not any("0" <= c <= "9" for c in row.text)]
    for row in plain:
        syllables = sum("\u4e00" <= letter <= "\u9fff" for letter in row.text)
        assert 3.2 <= syllables / row.seconds <= 5.5, row


def test_what_needs_no_values_is_there_at_once_after_warming(machine: Machine, cache: Path) -> None:
    prompts = book(machine, cache)
    with pytest.raises(LookupError):
        prompts.files_now(Prompt.MUSIC)
    now(prompts.warm([(Prompt.MENU, {"matters": ["税务", "社保"]})]))
    machine.is_mute = True
    for prompt in Prompt:
        if not prompt.takes:
            (path,) = prompts.files_now(prompt)
            assert now(prompts.files(prompt)) == (path,)
            assert Path(path).exists()
    assert now(prompts.files(Prompt.MENU, matters=["税务", "社保"]))
    # and the next start needs no worker at all
    now(book(machine, cache).warm([(Prompt.MENU, {"matters": ["税务", "社保"]})]))


def test_values_are_spoken_in_a_whole_sentence(machine: Machine, cache: Path) -> None:
    prompts = book(machine, cache)
    short = now(prompts.files(Prompt.NUMBER_KEPT, number="12345"))
    long = now(prompts.files(Prompt.NUMBER_KEPT, number="13800138000"))
    assert len(short) == len(long) == 1
    assert soundfile.info(long[0]).duration > soundfile.info(short[0]).duration + 0.8


def test_a_caller_waits_two_and_a_half_seconds_at_most_and_then_hears_the_text_without_values(
    machine: Machine, cache: Path
) -> None:
    now(book(machine, cache).warm())
    machine.is_mute = True
    prompts = book(machine, cache)
    now(prompts.warm())
    heard: list[tuple[str, ...]] = []
    wait = ensureDeferred(prompts.files(Prompt.ORDER_OPENED, order_id="26021499999", due=DUE))
    wait.addCallback(heard.append)
    machine.advance(2.4)
    assert heard == []
    machine.advance(0.2)
    plain = prompts.catalogue.as_said(prompts.catalogue.plain(Prompt.ORDER_OPENED))
    kept = prompts._speech.cached(Sound("sentence", plain, "cmn", prompts.catalogue.speed_wpm))
    assert kept is not None
    assert heard == [(kept.path,)]


def test_a_missing_value_is_a_mistake_of_the_flow(machine: Machine, cache: Path) -> None:
    with pytest.raises(TypeError, match="needs due, order_id"):
        now(book(machine, cache).files(Prompt.ORDER_OPENED))


def test_a_recording_of_the_site_goes_before_the_voice_and_that_of_the_language_before_both(
    machine: Machine, cache: Path, site: Path
) -> None:
    recording(site / "greeting.wav", seconds=1.0)
    assert soundfile.info(now(book(machine, cache, site).files(Prompt.GREETING))[0]).duration == pytest.approx(1.0)
    recording(site / "zh" / "greeting.wav", seconds=2.0)
    (path,) = now(book(machine, cache, site).files(Prompt.GREETING))
    info = soundfile.info(path)
    assert (info.duration, info.samplerate, info.subtype) == (pytest.approx(2.0), 8000, "PCM_16")
    (english,) = now(book(machine, cache, site, language="en").files(Prompt.GREETING))
    assert soundfile.info(english).duration == pytest.approx(1.0)


def test_music_of_the_site_goes_before_ours(machine: Machine, cache: Path, site: Path) -> None:
    recording(site / "music.wav", seconds=3.0)
    assert soundfile.info(now(book(machine, cache, site).files(Prompt.MUSIC))[0]).duration == pytest.approx(3.0)


def test_a_recording_that_cannot_be_read_is_named_before_any_call(machine: Machine, cache: Path, site: Path) -> None:
    (site / "greeting.wav").write_text("no sound")
    with pytest.raises(SpeechFailed, match=r"greeting\.wav: cannot be read"):
        now(book(machine, cache, site).warm())
    row = now(prompt_report.report(book(machine, cache, site)))[0]
    assert "greeting.wav: cannot be read" in row.flags[0]


def test_a_recording_of_no_prompt_or_of_one_with_values_is_named(machine: Machine, cache: Path, site: Path) -> None:
    recording(site / "greting.wav")
    recording(site / "zh" / "menu.wav")
    with pytest.raises(ConfigError) as wrong:
        book(machine, cache, site)
    assert [(fault.key, fault.message) for fault in wrong.value.faults] == [
        ("greting", "there is no such prompt"),
        ("menu", "has values in it and cannot be a recording"),
    ]


def test_the_report_flags_what_callers_would_suffer_from(machine: Machine, cache: Path, site: Path) -> None:
    recording(site / "greeting.wav", seconds=4.5)
    recording(site / "held.wav", loudness=0.0001)
    recording(site / "resumed.wav", loudness=0.03)
    recording(site / "waiting_1.wav", loudness=3.0)
    text = (site / "zh.yaml").read_text(encoding="utf-8")
    text = text.replace("  一会儿: 片刻\n", "").replace("请您不要挂机", "请等一会儿")
    (site / "zh.yaml").write_text(text, encoding="utf-8")
    rows = {row.key: row for row in now(prompt_report.report(book(machine, cache, site)))}
    assert rows["greeting"].flags == ("too long: 4.5 s, at most 4 s",)
    assert rows["greeting"].source == "greeting.wav"
    assert rows["held"].flags == ("silent",)
    assert rows["resumed"].flags == ("too quiet: below -28 dBFS",)
    assert "too loud: above -12 dBFS" in rows["waiting_1"].flags
    assert rows["waiting_3"].flags == ("has words that the voice cannot read: give a reading in `say`",)
    assert {key for key, row in rows.items() if row.flags} == {"greeting", "held", "resumed", "waiting_1", "waiting_3"}


def test_a_clipped_recording_is_flagged(machine: Machine, cache: Path, site: Path) -> None:
    recording(site / "waiting_1.wav", loudness=3.0, rate_hz=8000)
    rows = {row.key: row for row in now(prompt_report.report(book(machine, cache, site)))}
    assert "clipped" in rows["waiting_1"].flags


def test_a_voice_and_speed_of_the_settings_go_before_those_of_the_language(machine: Machine, cache: Path) -> None:
    usual = now(book(machine, cache).files(Prompt.GREETING))
    slower = now(book(machine, cache, speed_wpm=150).files(Prompt.GREETING))
    assert soundfile.info(slower[0]).duration > soundfile.info(usual[0]).duration * 1.3
    with pytest.raises(SpeechFailed, match="cmx"):
        now(book(machine, cache, voice="cmx").warm())


def test_the_table_stands_in_columns_though_chinese_letters_are_two_wide() -> None:
    rows = [
        prompt_report.PromptRow("greeting", "您好", 3.97, -18.0, -3.0, "企业.wav", ()),
        prompt_report.PromptRow("held", "请稍候", 12.0, -30.0, -12.0, "tone", ("too quiet",)),
    ]
    lines = prompt_report.table(rows).splitlines()
    assert lines[1] == "   greeting     3.97  -18.0   -3.0  企业.wav  您好"
    assert lines[2] == "!  held        12.00  -30.0  -12.0  tone      请稍候 — too quiet"


def test_speech_runs_under_the_real_reactor_and_leaves_no_process(cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SERVICE, str(PROMPTS), str(cache)],
        cwd=PROMPTS.parent.parent, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "True True False"


SERVICE = """
import os, sys, uuid
from pathlib import Path
from twisted.internet import reactor, task
from twisted.internet.defer import ensureDeferred
from config.settings import PromptSettings
from ivr.speech.prompts import Prompt, PromptBook

async def main():
    book = PromptBook(PromptSettings(directory=Path(sys.argv[1])), Path(sys.argv[2]), reactor)
    await book.warm()
    name = uuid.uuid4().hex[:8].translate(str.maketrans("0123456789abcdef", "一二三四五六七八九十百千万甲乙丙"))
    first = await book.files(Prompt.CONNECTING_SPECIALIST, matter=name)
    worker = book._speech._worker
    pid = worker._process.pid
    os.kill(pid, 9)  # under way: the next sentence finds a dead worker
    second = await book.files(Prompt.MATTER_CHOSEN, matter=name)
    pid = book._speech._worker._process.pid
    await book.stop()
    print(Path(*first).exists(), Path(*second).parent.name == "filled", Path(f"/proc/{pid}").exists())

task.react(lambda reactor: ensureDeferred(main()))
"""
