"""The cache of sounds and the life of the worker that makes them, with a worker of paper and a virtual clock."""

from __future__ import annotations

import json
import wave
import zlib
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ivr.speech.speech import Rendering, Sound, Speech, SpeechFailed


class PaperWorker:
    """A worker process: keeps requests until the test lets it answer, die or end."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.requests: list[dict[str, Any]] = []
        self.signals: list[str] = []

    def write(self, line: bytes) -> None:
        self.requests.append(json.loads(line))

    def answer(self, **answer: Any) -> None:
        request = self.requests.pop(0)
        if "error" not in answer:
            write_sound(Path(request["path"]))
        self.protocol.outReceived(json.dumps({"id": request["id"], **answer}).encode() + b"\n")

    def die(self, signal: int | None = 11) -> None:
        self.protocol.processEnded(Failure(ProcessTerminated(signal=signal)))

    def signalProcess(self, signal: str) -> None:
        self.signals.append(signal)

    def closeStdin(self) -> None:
        self.signals.append("EOF")


class Machine(Clock):
    """A reactor that hands out workers of paper."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: list[PaperWorker] = []

    def spawnProcess(self, protocol: Any, *args: Any, **options: Any) -> PaperWorker:
        self.workers.append(PaperWorker(protocol))
        return self.workers[-1]


def write_sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"\1\2" * 800)
    figures = {"seconds": 0.1, "level_dbfs": -18.0, "peak_dbfs": -3.0, "clipped": False, "phonemes": ""}
    path.with_suffix(".json").write_text(json.dumps({**figures, "crc32": zlib.crc32(path.read_bytes())}))


def sentence(text: str, **options: Any) -> Sound:
    return Sound("sentence", text, "cmn", 210, **options)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def speech(tmp_path: Path, machine: Machine) -> Speech:
    return Speech(tmp_path / "prompts", machine)


def outcome(wait: Coroutine[Any, Any, Any] | Awaitable[Any]) -> list[Any]:
    """Return a list that has the result or error as soon as there is one."""
    results: list[Any] = []
    deferred: Deferred[Any] = ensureDeferred(wait)  # type: ignore[arg-type]
    deferred.addBoth(lambda result: results.append(result.value if isinstance(result, Failure) else result))
    return results


def test_no_worker_is_started_before_it_is_needed(machine: Machine, speech: Speech) -> None:
    assert speech.cached(sentence("您好")) is None
    assert machine.workers == []


def test_a_sound_is_made_once_and_found_ever_after(machine: Machine, speech: Speech, tmp_path: Path) -> None:
    first = outcome(speech.render(sentence("您好")))
    machine.workers[0].answer()
    assert isinstance(first[0], Rendering)
    assert outcome(speech.render(sentence("您好"))) == first
    assert Speech(tmp_path / "prompts", machine).cached(sentence("您好")) == first[0]
    assert machine.workers[0].requests == []


def test_text_voice_and_speed_each_make_another_sound() -> None:
    sounds = {
        Sound("sentence", text, voice, speed).name
        for text in ("您好", "再见") for voice in ("cmn", "cmn+f2") for speed in (200, 210)
    }
    assert len(sounds) == 8


def test_forty_callers_who_need_the_same_sentence_wait_for_one(machine: Machine, speech: Speech) -> None:
    waits = [outcome(speech.render(sentence("企业来电"))) for _ in range(40)]
    assert len(machine.workers[0].requests) == 1
    machine.workers[0].answer()
    assert all(len(wait) == 1 for wait in waits)


def test_a_caller_goes_before_what_is_made_in_advance(machine: Machine, speech: Speech) -> None:
    for text in ("一", "二", "三"):
        outcome(speech.render(sentence(text), is_urgent=False))
    outcome(speech.render(sentence("急")))
    outcome(speech.render(sentence("三")))  # somebody waits for it now
    order = []
    while machine.workers[0].requests:
        order.append(machine.workers[0].requests[0]["text"])
        machine.workers[0].answer()
    assert order == ["一", "急", "三", "二"]


@pytest.mark.parametrize("spoil", ["truncate", "flip", "no figures", "other figures", "empty"])
def test_a_spoilt_sound_in_the_cache_is_made_again(
    machine: Machine, speech: Speech, tmp_path: Path, spoil: str
) -> None:
    made = outcome(speech.render(sentence("您好")))
    machine.workers[0].answer()
    path = Path(made[0].path)
    whole = path.read_bytes()
    damage: dict[str, Callable[[], object]] = {
        "truncate": lambda: path.write_bytes(whole[:-100]),
        "flip": lambda: path.write_bytes(whole[:500] + b"\x7f" + whole[501:]),
        "no figures": lambda: path.with_suffix(".json").unlink(),
        "other figures": lambda: path.with_suffix(".json").write_text('{"crc32": 1}'),
        "empty": lambda: path.write_bytes(b""),
    }
    damage[spoil]()
    after_restart = Speech(tmp_path / "prompts", machine)
    again = outcome(after_restart.render(sentence("您好")))
    assert again == []
    machine.workers[1].answer()
    assert again == made
    assert path.read_bytes() == whole


def test_a_sound_deleted_under_a_running_node_is_made_again(machine: Machine, speech: Speech) -> None:
    made = outcome(speech.render(sentence("您好")))
    machine.workers[0].answer()
    Path(made[0].path).unlink()
    outcome(speech.render(sentence("您好")))
    assert len(machine.workers[0].requests) == 1


def test_a_crash_of_the_worker_is_survived_and_nobody_notices(machine: Machine, speech: Speech) -> None:
    first, second = outcome(speech.render(sentence("一"))), outcome(speech.render(sentence("二")))
    machine.workers[0].die()
    machine.workers[1].answer()
    machine.workers[1].answer()
    assert isinstance(first[0], Rendering)
    assert isinstance(second[0], Rendering)


def test_the_sentence_that_kills_two_workers_is_given_up_and_the_next_one_made(
    machine: Machine, speech: Speech
) -> None:
    deadly, harmless = outcome(speech.render(sentence("毒"))), outcome(speech.render(sentence("好")))
    machine.workers[0].die()
    machine.workers[1].die()
    assert isinstance(deadly[0], SpeechFailed)
    assert "毒" in str(deadly[0])
    machine.workers[2].answer()
    assert isinstance(harmless[0], Rendering)


def test_a_worker_that_hangs_is_killed(machine: Machine, speech: Speech) -> None:
    outcome(speech.render(sentence("一")))
    machine.advance(16)
    assert machine.workers[0].signals == ["KILL"]


def test_the_watch_ends_with_the_job(machine: Machine, speech: Speech) -> None:
    outcome(speech.render(sentence("一")))
    machine.workers[0].answer()
    machine.advance(60)
    assert machine.workers[0].signals == []
    assert machine.getDelayedCalls() == []


def test_what_the_worker_cannot_do_is_told_in_its_words(machine: Machine, speech: Speech) -> None:
    wait = outcome(speech.render(sentence("一")))
    machine.workers[0].answer(error="there is no voice 'cmm'")
    assert isinstance(wait[0], SpeechFailed)
    assert str(wait[0]) == "there is no voice 'cmm'"


def test_an_answer_that_comes_in_pieces_is_put_together(machine: Machine, speech: Speech) -> None:
    wait = outcome(speech.render(sentence("一")))
    worker = machine.workers[0]
    path = Path(worker.requests[0]["path"])
    write_sound(path)
    worker.protocol.outReceived(b'{"id": ')
    assert wait == []
    worker.protocol.outReceived(b'"x"}\n')
    assert isinstance(wait[0], Rendering)


def test_a_recording_that_changes_is_another_sound(tmp_path: Path) -> None:
    path = tmp_path / "greeting.wav"
    path.write_bytes(b"one")
    before = Sound.recorded(path)
    path.write_bytes(b"two")
    assert Sound.recorded(path).name != before.name


def test_sentences_of_one_call_are_kept_apart_from_those_of_all_calls(machine: Machine, speech: Speech) -> None:
    outcome(speech.render(sentence("工单编号", is_filled=True)))
    request = machine.workers[0].requests[0]
    assert Path(request["path"]).parent.name == "filled"
    assert request["keep"] > 0


def test_texts_of_yesterday_are_deleted(machine: Machine, speech: Speech, tmp_path: Path) -> None:
    kept, stale = outcome(speech.render(sentence("新"))), outcome(speech.render(sentence("旧")))
    machine.workers[0].answer()
    machine.workers[0].answer()
    assert speech.prune({kept[0].path}) == 1
    assert Path(kept[0].path).exists()
    assert list((tmp_path / "prompts").iterdir()) != []
    assert not Path(stale[0].path).exists()
    assert not Path(stale[0].path).with_suffix(".json").exists()


def test_stopping_ends_the_worker_and_fails_who_still_waits(machine: Machine, speech: Speech) -> None:
    wait = outcome(speech.render(sentence("一")))
    stopped = outcome(speech.stop())
    assert machine.workers[0].signals == ["EOF"]
    assert isinstance(wait[0], SpeechFailed)
    machine.advance(3)
    assert machine.workers[0].signals == ["EOF", "KILL"]
    machine.workers[0].die()
    assert stopped == [None]
    assert machine.getDelayedCalls() == []
    assert isinstance(outcome(speech.render(sentence("二")))[0], SpeechFailed)
    assert len(machine.workers) == 1


def test_what_was_said_to_one_caller_is_deleted_when_it_is_forgotten_and_the_rest_stays(
    speech: Speech, machine: Machine, tmp_path: Path
) -> None:
    for said in (sentence("您的号码是", is_filled=True), sentence("菜单")):
        wait = outcome(speech.render(said))
        machine.workers[0].answer()
        assert wait
    made = max(path.stat().st_mtime for path in (tmp_path / "prompts").rglob("*.wav"))
    assert speech.forget(datetime.fromtimestamp(made - 60, timezone.utc)) == 0
    assert speech.forget(datetime.fromtimestamp(made + 60, timezone.utc)) == 2  # the sound, and its figures
    assert speech.cached(sentence("您的号码是", is_filled=True)) is None
    assert speech.cached(sentence("菜单")) is not None
