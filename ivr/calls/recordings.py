"""The recordings of one call: where they lie, which still run, how long they became."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import Deferred

from ivr.calls.leg import Leg
from ivr.line.messages import Command, Record, RecordEnded, StopRecord
from ivr.line.wav import repair

log = structlog.get_logger()


class Recordings:
    """Starts, changes and closes recordings in `folder`; `send` passes a command to the call's line."""

    def __init__(self, folder: Path, call_id: str, send: Callable[[Command], None]) -> None:
        self._folder = folder
        self._call_id = call_id
        self._send = send
        self._running: dict[int, Path] = {}
        self._lengths_ms: dict[int, int] = {}
        self._waits: dict[int, Deferred[Any]] = {}
        self._legs: dict[int, tuple[Leg, ...]] = {}
        self._also: tuple[Leg, ...] = ()
        self.files: list[str] = []
        self.cut: list[str] = []  # files that lack sound, also those that there are none of

    @property
    def are_closed(self) -> bool:
        return not self._running

    def start(self, recording: int, label: str, legs: tuple[Leg, ...], max_s: float) -> Path:
        """Start recording number `recording` and return its file."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._running[recording] = self._folder / f"{self._call_id}-{label}.wav"
        self.files.append(str(path))
        self._legs[recording] = legs
        self._send(Record(recording, str(path), self._ids_of(recording), max_s=max_s))
        return path

    def change(self, recording: int, legs: tuple[Leg, ...]) -> None:
        """Change whose voices a running recording takes."""
        if (path := self._running.get(recording)) is not None:
            self._legs[recording] = legs
            self._send(Record(recording, str(path), self._ids_of(recording)))

    def take_along(self, legs: tuple[Leg, ...]) -> None:
        """Let every recording take these voices too, from now on."""
        if legs == self._also:
            return
        self._also = legs
        for recording in self._running:
            self.change(recording, self._legs[recording])

    def _ids_of(self, recording: int) -> tuple[int, ...]:
        return tuple(dict.fromkeys(leg.leg_id for leg in (*self._legs[recording], *self._also)))

    def stop(self, recording: int) -> None:
        """Close a recording."""
        self._send(StopRecord(recording))

    def stop_all(self) -> None:
        """Close whatever still runs."""
        for recording in self._running:
            self.stop(recording)

    def on_ended(self, event: RecordEnded) -> None:
        """Take note that the line has closed a recording."""
        self._running.pop(event.recording, None)
        self._lengths_ms[event.recording] = event.duration_ms
        if event.cut_because:
            self.cut.append(event.path)
            log.warning(
                "recording_cut", call_id=self._call_id, file=event.path, kept_ms=event.duration_ms,
                why=event.cut_because,
            )  # fmt: skip
        waiting = self._waits.pop(event.recording, None)
        if waiting is not None and not waiting.called:
            waiting.callback(event.duration_ms)

    def on_line_died(self) -> None:
        """Make whole what the line left open; its last sound is lost."""
        for path in self._running.values():
            self.cut.append(str(path))
            try:
                repair(path)
            except OSError as wrong:
                log.error("recording_not_repaired", file=str(path), error=str(wrong))
        self._running.clear()

    async def ended(self, recording: int, caller: Leg) -> int:
        """Wait until a recording is closed and return its length in milliseconds; CallEnded when the caller goes."""
        if recording in self._lengths_ms:
            return self._lengths_ms[recording]
        waiting = self._waits[recording] = caller.wait()
        duration_ms: int = await waiting
        return duration_ms
