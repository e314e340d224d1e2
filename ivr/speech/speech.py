"""Sounds by content: looked up in the cache, or made by the speech worker, which is started again when it dies."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import wave
import zlib
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import structlog
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

log = structlog.get_logger()

_VERSION = 1  # of the algorithm: a new one makes every sound anew
_ROOT = Path(__file__).resolve().parents[2]
_JOB_LIMIT_S = 15.0  # a sentence takes some 50 ms, the hold music half a second
_ATTEMPTS = 2
_FILLED_KEPT = 1000  # sentences with values in them, such as order numbers: some 100 MB


class SpeechFailed(Exception):
    """A sound could not be made; the message says which and why."""


@dataclass(frozen=True)
class Sound:
    """A sound by its content: a sentence with voice and speed, a tone by name, or a recording by file and digest.

    `is_filled`: a sentence with values of one call, not worth keeping for ever.
    """

    kind: Literal["sentence", "tone", "recording"]
    text: str
    voice: str = ""
    speed_wpm: int = 0
    digest: str = ""
    is_filled: bool = field(default=False, compare=False)

    @classmethod
    def recorded(cls, path: Path) -> Sound:
        """Return the sound in a file as it is now."""
        return cls("recording", str(path.absolute()), digest=hashlib.sha256(path.read_bytes()).hexdigest())

    @property
    def name(self) -> str:
        """Name of its file in the cache."""
        content = (_VERSION, self.kind, self.digest or self.text, self.voice, self.speed_wpm)
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32] + ".wav"


@dataclass(frozen=True)
class Rendering:
    """A sound as a file: WAV, 8 kHz, 16 bit, mono. `phonemes` are what the voice made of a sentence."""

    path: str
    seconds: float
    level_dbfs: float
    peak_dbfs: float
    clipped: bool
    phonemes: str = ""


@dataclass
class _Job:
    """A sound to be made, and who waits for it."""

    sound: Sound
    path: Path
    waiting: list[Deferred[Rendering]] = field(default_factory=list)
    attempts: int = 0


class Speech:
    """Makes sounds, one at a time, the urgent ones first."""

    def __init__(self, folder: Path, reactor: Any) -> None:
        self._folders = {False: folder.absolute(), True: folder.absolute() / "filled"}
        self._reactor = reactor
        self._known: dict[str, tuple[os.stat_result, Rendering]] = {}
        self._jobs: dict[str, _Job] = {}
        self._urgent: deque[_Job] = deque()
        self._patient: deque[_Job] = deque()
        self._current: _Job | None = None
        self._timer: Any = None  # an IDelayedCall
        self._worker: _Worker | None = None
        self._ending: Deferred[None] | None = None
        self._is_stopped = False

    def cached(self, sound: Sound) -> Rendering | None:
        """Return a sound from the cache, None if it is not there whole."""
        for folder in self._folders.values():
            if (rendering := self._look_up(folder / sound.name)) is not None:
                return rendering
        return None

    async def render(self, sound: Sound, *, is_urgent: bool = True) -> Rendering:
        """Return a sound, made now if need be; SpeechFailed if it cannot be made."""
        rendering = self.cached(sound)
        if rendering is None and self._is_stopped:
            raise SpeechFailed("speech has been stopped")
        return rendering or await self._wait_for(sound, is_urgent)

    def prune(self, needed: set[str]) -> int:
        """Delete the kept sounds whose path is not in `needed`: texts of yesterday. Return their count."""
        stale = [path for path in self._folders[False].glob("*.wav") if str(path) not in needed]
        for path in stale:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)
        return len(stale)

    def forget(self, before: datetime) -> int:
        """Delete the sounds with values of one call that were made before `before`, and return how many. Blocks."""
        old = [path for path in self._folders[True].glob("*.*") if path.stat().st_mtime < before.timestamp()]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    async def stop(self) -> None:
        """End the worker; what is still waited for fails."""
        self._is_stopped, self._current = True, None
        self._cancel_timer()
        self._urgent.clear()
        self._patient.clear()
        for job in [*self._jobs.values()]:
            self._finish(job, SpeechFailed("speech has been stopped"))
        if self._worker is not None:
            self._ending = Deferred()
            self._worker.close()
            kill = self._reactor.callLater(2.0, self._worker.kill)
            await self._ending
            if kill.active():
                kill.cancel()

    def _look_up(self, path: Path) -> Rendering | None:
        """Return the rendering in `path` if WAV and figures agree; a file seen before is not read again."""
        try:
            now = path.stat()
            seen, rendering = self._known.get(path.name, (None, None))
            if seen is not None and rendering is not None and _same(seen, now) and rendering.path == str(path):
                return rendering
            figures = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            if figures.pop("crc32") != zlib.crc32(path.read_bytes()) or not _is_phone_wav(path):
                raise ValueError("differs from its figures")
            rendering = Rendering(str(path), **figures)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, wave.Error) as wrong:
            log.warning("cached_sound_spoilt", path=str(path), reason=str(wrong))
            return None
        self._known[path.name] = (now, rendering)
        if len(self._known) > 4 * _FILLED_KEPT:
            self._known.clear()
        return rendering

    def _wait_for(self, sound: Sound, is_urgent: bool) -> Deferred[Rendering]:
        job = self._jobs.get(sound.name)
        if job is None:
            job = self._jobs[sound.name] = _Job(sound, self._folders[sound.is_filled] / sound.name)
            (self._urgent if is_urgent else self._patient).append(job)
        elif is_urgent and job in self._patient:
            self._patient.remove(job)
            self._urgent.append(job)
        waiting: Deferred[Rendering] = Deferred()
        job.waiting.append(waiting)
        self._next()
        return waiting

    def _next(self) -> None:
        if self._current is not None or not (self._urgent or self._patient):
            return
        job = self._current = (self._urgent or self._patient).popleft()
        job.attempts += 1
        try:
            if self._worker is None:
                self._worker = _Worker(self, self._reactor)
            self._worker.ask(job)
        except OSError as wrong:  # no process to be had
            self._current = None
            self._finish(job, SpeechFailed(f"the speech worker does not start: {wrong}"))
            self._next()
            return
        self._timer = self._reactor.callLater(_JOB_LIMIT_S, self._worker.kill)

    def answered(self, answer: dict[str, Any]) -> None:
        """Take the worker's answer to the current job."""
        job, self._current = self._current, None
        self._cancel_timer()
        if job is not None:
            rendering = None if "error" in answer else self._look_up(job.path)
            reason = answer.get("error", f"{job.path}: written, but cannot be read back")
            self._finish(job, rendering or SpeechFailed(reason))
        self._next()

    def worker_ended(self, reason: str) -> None:
        """Take the current job to a new worker, once; the sound that kills two workers is given up."""
        job, self._current, self._worker = self._current, None, None
        self._cancel_timer()
        if self._ending is not None:
            self._ending.callback(None)
            self._ending = None
            return
        log.warning("speech_worker_died", reason=reason, text=job.sound.text if job else "")
        if job is not None and job.attempts < _ATTEMPTS:
            self._urgent.appendleft(job)
        elif job is not None:
            self._finish(job, SpeechFailed(f"the speech worker died of {job.sound.text!r}: {reason}"))
        self._next()

    def _finish(self, job: _Job, result: Rendering | SpeechFailed) -> None:
        self._jobs.pop(job.sound.name, None)
        for waiting in job.waiting:
            if isinstance(result, Rendering):
                waiting.callback(result)
            else:
                waiting.errback(result)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


class _Worker(ProcessProtocol):
    """One speech worker process."""

    def __init__(self, speech: Speech, reactor: Any) -> None:
        self._speech = speech
        self._read = b""
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", "ivr.speech.worker", str(os.getpid())]
        self._process = reactor.spawnProcess(self, command[0], command, env={**os.environ, "PYTHONPATH": path})

    def ask(self, job: _Job) -> None:
        """Send one job."""
        sound = job.sound
        request: dict[str, object] = {"id": sound.name, "kind": sound.kind, "text": sound.text, "voice": sound.voice}
        request |= {"speed_wpm": sound.speed_wpm, "path": str(job.path)}
        request |= {"keep": _FILLED_KEPT} if sound.is_filled else {}
        self._process.write(json.dumps(request).encode() + b"\n")

    def close(self) -> None:
        """Let the worker end."""
        self._process.closeStdin()

    def kill(self) -> None:
        """End the worker at once."""
        with contextlib.suppress(ProcessExitedAlready):
            self._process.signalProcess("KILL")

    def outReceived(self, data: bytes) -> None:
        """Take whole lines out of what the worker writes."""
        *lines, self._read = (self._read + data).split(b"\n")
        for line in lines:
            self._speech.answered(json.loads(line))

    def errReceived(self, data: bytes) -> None:
        """Log what libraries print."""
        log.warning("speech_worker_said", text=data.decode(errors="replace").strip())

    def processEnded(self, reason: Failure) -> None:
        """Tell that the worker is gone."""
        ended = "ended" if isinstance(reason.value, ProcessDone) else str(reason.value)
        self._speech.worker_ended(ended)


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_mtime_ns, one.st_size, one.st_ino) == (other.st_mtime_ns, other.st_size, other.st_ino)


def _is_phone_wav(path: Path) -> bool:
    with wave.open(str(path), "rb") as sound:
        shape = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
        return shape == (1, 2, 8000) and sound.getnframes() > 0
