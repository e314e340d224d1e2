"""Recordings of a line: the mix of some legs, written to a WAV file whose header is right when its end is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pjsua2 as pj

from ivr.line import wav
from ivr.line.bridge import PatchBoard
from ivr.line.growth import Growth, lacks_room
from ivr.line.messages import Event, LineFault, Record, RecordEnded
from ivr.line.players import wrong_text

# The conference closes the file some frames after it was told to; then the header is checked.
_CLOSES_WITHIN_S = 0.5


@dataclass
class _Recording:
    path: str
    recorder: Any
    growth: Growth
    legs: set[int] = field(default_factory=set)
    ends_at: float = float("inf")
    cut_because: str = ""


@dataclass(frozen=True)
class _Closing:
    """A recording whose file is being closed, until `latest` at the most."""

    latest: float
    number: int
    recording: _Recording


class Recordings:
    """All recordings of a line."""

    def __init__(
        self, board: PatchBoard, send: Callable[[Event], None], leg_is_there: Callable[[int], bool],
        least_free_bytes: int,
    ) -> None:  # fmt: skip
        self._board = board
        self._send = send
        self._leg_is_there = leg_is_there
        self._least_free_bytes = least_free_bytes
        self._running: dict[int, _Recording] = {}
        self._closing: list[_Closing] = []
        self._ended: set[tuple[int, str]] = set()

    def start(self, command: Record) -> None:
        """Begin a recording, or give a running one other legs."""
        if (command.recording, command.path) in self._ended:
            # other legs for a recording whose end is on its way: opening the file again would wipe it
            return
        legs = {leg for leg in command.legs if self._leg_is_there(leg)}
        recording = self._running.get(command.recording)
        if recording is None:
            if not legs:
                self._send(RecordEnded(recording=command.recording, path=command.path, duration_ms=0))
                return
            try:
                recording = self._open(command)
            except (OSError, pj.Error) as wrong:
                why = f"it cannot start: {wrong_text(wrong)}"
                self._send(RecordEnded(command.recording, command.path, duration_ms=0, cut_because=why))
                return
        recording.legs = legs
        port = ("recording", command.recording)
        self._board.want(port, {(("leg", leg), port) for leg in legs})
        if not legs:
            self.stop(command.recording)

    def _open(self, command: Record) -> _Recording:
        Path(command.path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if why := lacks_room(command.path, self._least_free_bytes):
            raise OSError(why)
        recorder = pj.AudioMediaRecorder()
        recorder.createRecorder(command.path)
        recording = _Recording(
            command.path, recorder, Growth(command.path, self._least_free_bytes, time.monotonic())
        )
        if command.max_s > 0:
            recording.ends_at = time.monotonic() + command.max_s
        self._running[command.recording] = recording
        self._board.plug(("recording", command.recording), recorder)
        return recording

    def stop(self, number: int) -> None:
        """Close a recording; its end is told once the file is whole."""
        recording = self._running.pop(number, None)
        if recording is None:
            return
        port = ("recording", number)
        if self._is_heard(number):
            recording.growth.stopped(time.monotonic())
        # removing the port takes its connections with it
        self._board.forget(port)
        self._board.want(port, ())
        recording.recorder = None
        self._ended.add((number, recording.path))
        self._closing.append(_Closing(time.monotonic() + _CLOSES_WITHIN_S, number, recording))

    def remove_leg(self, leg: int) -> None:
        """A leg has gone; a recording ends with its last leg."""
        for number, recording in list(self._running.items()):
            if leg in recording.legs:
                recording.legs.discard(leg)
                if not recording.legs:
                    self.stop(number)

    def tick(self, now: float) -> None:
        """End recordings whose time is over or whose disk is full, and tell the end of those whose file is whole."""
        for number, recording in list(self._running.items()):
            recording.cut_because = recording.cut_because or recording.growth.note(now, self._is_heard(number))
            if recording.ends_at <= now or recording.cut_because:
                self.stop(number)
        for closing in list(self._closing):
            if wav.is_whole(closing.recording.path) or now >= closing.latest:
                self._closing.remove(closing)
                self._tell_end(closing.number, closing.recording)

    def _is_heard(self, number: int) -> bool:
        port = ("recording", number)
        return any(listener == port for _source, listener in self._board.made)

    def _tell_end(self, number: int, recording: _Recording) -> None:
        path = recording.path
        try:
            wav.repair(path)
        except OSError as wrong:
            self._send(LineFault(text=f"recording {path} cannot be repaired: {wrong}"))
        why, duration_ms = recording.cut_because or recording.growth.at_the_end(), wav.duration_ms(path)
        if why and not duration_ms:
            Path(path).unlink(missing_ok=True)  # no sound at all came to disk
        self._send(RecordEnded(recording=number, path=path, duration_ms=duration_ms, cut_because=why))

    def stop_all(self) -> None:
        """Close every recording."""
        for number in list(self._running):
            self.stop(number)

    @property
    def needs_looks(self) -> bool:
        """Whether an end is to be noticed soon; a talk that is recorded without a limit costs no round of the loop."""
        return bool(self._closing) or any(recording.ends_at != float("inf") for recording in self._running.values())

    @property
    def is_busy(self) -> bool:
        """Whether a recording runs or is being closed."""
        return bool(self._running or self._closing)
