"""The speech worker as a real process: what it says, how long, how loud, and when it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

ROOT = Path(__file__).parents[4]
GREETING = "您好，幺二三四五企业专席，通话将录音。"


class Worker:
    """A speech worker of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ivr.speech.worker", str(os.getpid())],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, text: str, **changes: Any) -> dict[str, Any]:
        path = str(self.folder / "sound.wav")
        request = {"id": "1", "kind": "sentence", "text": text, "voice": "cmn", "speed_wpm": 210, "path": path}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({**request, **changes}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("sounds"))
    yield worker
    worker.end()


def samples(folder: Path) -> np.ndarray[Any, Any]:
    with wave.open(str(folder / "sound.wav")) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768


def test_the_greeting_is_spoken_at_the_level_and_pace_of_speech(worker: Worker) -> None:
    figures = worker.ask(GREETING)
    assert figures["level_dbfs"] == pytest.approx(-18, abs=0.3)
    assert figures["peak_dbfs"] <= -3
    assert not figures["clipped"]
    syllables = 16
    assert 4.0 <= syllables / (figures["seconds"] - 0.17) <= 5.0
    assert len(samples(worker.folder)) == pytest.approx(figures["seconds"] * 8000, abs=8)


def test_speech_has_the_spectrum_of_speech_within_the_telephone_band(worker: Worker) -> None:
    worker.ask(GREETING)
    sound = samples(worker.folder)
    power = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / 8000)
    share = {low: power[(hz >= low) & (hz < high)].sum() / power.sum() for low, high in ((300, 1000), (1000, 3400))}
    assert share[300] > 0.3  # vowels
    assert share[1000] > 0.05  # what tells them apart


def test_pauses_stand_between_clauses(worker: Worker) -> None:
    def longest_pause_s(text: str) -> float:
        worker.ask(text)
        frames = np.abs(samples(worker.folder))[800:-1200]
        quiet = np.concatenate([[0], (frames < 0.01).astype(int), [0]])
        edges = np.flatnonzero(np.diff(quiet))
        return float(max(edges[1::2] - edges[::2], default=0)) / 8000

    assert longest_pause_s("办税请按一，社保请按二") > longest_pause_s("办税请按一社保请按二") + 0.05


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("幺", "j'Au55"),  # yāo
        ("一二三四五", "j'i55_| '@r51_| s'a55n_| s'i[51_| w'u214_|"),
        ("银行", "ji35nX'A35N_|"),  # yínháng, not xíng
        ("行政", "S;'i35N_| ts.'@51N_|"),  # xíng zhèng
        ("重新", "ts.hong35S;'i55n_|"),  # chóng xīn
        ("长宁", "ts.h'A35N_| n'i35N_|"),  # cháng níng
    ],
)
def test_hanzi_are_pronounced(worker: Worker, text: str, phonemes: str) -> None:
    assert worker.ask(text)["phonemes"].startswith(phonemes)


def test_an_unknown_voice_and_a_mute_text_are_told_and_survived(worker: Worker) -> None:
    assert "cmx" in worker.ask("您好", voice="cmx")["error"]
    assert "nothing is heard" in worker.ask("，")["error"]
    assert "passwd" in worker.ask("/etc/passwd", kind="recording")["error"]
    assert worker.ask("您好")["seconds"] > 0.3


def test_a_variant_of_the_voice_may_be_chosen(worker: Worker) -> None:
    assert worker.ask("您好", voice="cmn+f2")["seconds"] > 0.3


def test_only_the_newest_filled_sentences_are_kept(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    try:
        for number in range(100):
            worker.ask("beep", kind="tone", path=str(tmp_path / "filled" / f"{number}.wav"), keep=10)
        worker.ask("beep", kind="tone", path=str(tmp_path / "last.wav"))
    finally:
        worker.end()
    assert len(list((tmp_path / "filled").glob("*.wav"))) == 10
    assert len(list((tmp_path / "filled").glob("*.json"))) == 10
    assert (tmp_path / "filled" / "99.wav").exists()


def test_it_ends_with_its_input(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    worker.ask("您好")
    worker.end()
    assert worker.process.returncode == 0


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    # the parent hands its end of the input on to us: the input does not end, the signal must
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(ROOT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    try:
        worker_pid = int(parent.stdout.readline())
        parent.stdin.write(json.dumps({"id": "1", "kind": "tone", "text": "beep", "path": str(tmp_path / "b.wav")}))
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert '"seconds"' in parent.stdout.readline()  # alive, and past its preparations
    finally:
        parent.kill()
        parent.wait()
    assert parent.stdout.read() == ""  # its end of the pipe is closed: it is gone
    parent.stdin.close()
    psutil.wait_procs([psutil.Process(worker_pid)] if psutil.pid_exists(worker_pid) else [], timeout=5)
    # whoever adopts it may not reap it
    assert not psutil.pid_exists(worker_pid) or psutil.Process(worker_pid).status() == psutil.STATUS_ZOMBIE


PARENT = """
import os, subprocess, sys
worker = subprocess.Popen([sys.executable, "-m", "ivr.speech.worker", str(os.getpid())], cwd=sys.argv[1])
print(worker.pid, flush=True)
worker.wait()
"""
