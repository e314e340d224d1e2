"""Prompts of a line: WAV files played to one leg without a gap, each play ending exactly once."""

from __future__ import annotations

import collections
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pjsua2 as pj

from ivr.line import wav
from ivr.line.bridge import PatchBoard
from ivr.line.messages import Event, LineFault, Play, PlayEnded

# pjproject #4719 and kin: the clock thread may still hold a port for some frames after it was disconnected
REST_S = 0.5
# The end of a file is told by the clock thread; should that ever be missed, the play still ends.
_END_IS_OVERDUE_S = 1.0


class _Player(pj.AudioMediaPlayer):  # type: ignore[misc]  # pjsua2 carries no types
    """Tells the end of its file, from another OS thread: so it only appends to a deque."""

    def __init__(self, at_end: collections.deque[Any]) -> None:
        super().__init__()
        self._at_end = at_end

    def onEof2(self) -> None:
        self._at_end.append(self)


@dataclass
class _Playing:
    command: Play
    player: Any
    overdue_at: float


class Plays:
    """All plays of a line; a leg hears one at a time."""

    def __init__(self, board: PatchBoard, send: Callable[[Event], None]) -> None:
        self._board = board
        self._send = send
        self._playing: dict[int, _Playing] = {}
        self._of_leg: dict[int, int] = {}
        self._at_end: collections.deque[Any] = collections.deque()
        self._resting: collections.deque[tuple[float, Any]] = collections.deque()

    def start(self, command: Play) -> None:
        """Begin a play, instead of the one the leg hears now."""
        self.stop_leg(command.leg)
        self.stop(command.play)
        try:
            player, length_s = self._open(command)
        except (OSError, wav.NotTelephoneWav, pj.Error) as wrong:
            self._send(LineFault(text=f"play {command.play} cannot start: {wrong_text(wrong)}", leg=command.leg))
            self._send(PlayEnded(leg=command.leg, play=command.play, finished=False))
            return
        overdue_at = float("inf") if command.loop else time.monotonic() + length_s + _END_IS_OVERDUE_S
        self._playing[command.play] = _Playing(command, player, overdue_at)
        self._of_leg[command.leg] = command.play
        port = ("play", command.play)
        self._board.plug(port, player)
        self._board.want(port, {(port, ("leg", command.leg))})

    def _open(self, command: Play) -> tuple[Any, float]:
        """Return a player for the files of a play joined into one, and their length in seconds."""
        sound = []
        for path in command.files:
            try:
                sound.append(wav.samples(path))
            except (OSError, wav.NotTelephoneWav) as wrong:
                self._send(LineFault(text=f"prompt {path} left out: {wrong}", leg=command.leg))
        joined = b"".join(sound)
        if not joined:
            raise wav.NotTelephoneWav("nothing to play")
        player = _Player(self._at_end)
        descriptor = os.memfd_create("prompt")
        try:
            # whole frames of 20 ms: the player repeats old samples in a frame it cannot fill
            joined += bytes(-len(joined) % 320)
            os.write(descriptor, wav.header(len(joined)) + joined)
            # the player opens the file for itself: ours is closed again at once
            player.createPlayer(f"/proc/self/fd/{descriptor}", 0 if command.loop else pj.PJMEDIA_FILE_NO_LOOP)
        finally:
            os.close(descriptor)
        return player, len(joined) / wav.BYTES_PER_SECOND

    def stop(self, play: int, finished: bool = False) -> None:
        """End a play if it still runs."""
        playing = self._playing.pop(play, None)
        if playing is None:
            return
        self._of_leg.pop(playing.command.leg, None)
        port = ("play", play)
        self._board.want(port, ())
        self._board.forget(port)
        self._resting.append((time.monotonic() + REST_S, playing.player))
        self._send(PlayEnded(leg=playing.command.leg, play=play, finished=finished))

    def stop_leg(self, leg: int) -> None:
        """End what a leg hears."""
        if leg in self._of_leg:
            self.stop(self._of_leg[leg])

    def key_pressed(self, leg: int) -> None:
        """End what a leg hears, if it was asked to stop with a key."""
        play = self._of_leg.get(leg)
        if play is not None and self._playing[play].command.stop_on_key:
            self.stop(play)

    def tick(self, now: float) -> None:
        """End plays that have come to their end, and let go of players that have rested."""
        while self._at_end:
            player = self._at_end.popleft()
            for play in [play for play, one in self._playing.items() if one.player is player and not one.command.loop]:
                self.stop(play, finished=True)
        for play in [play for play, playing in self._playing.items() if playing.overdue_at <= now]:
            self.stop(play, finished=True)
        while self._resting and self._resting[0][0] <= now:
            self._resting.popleft()

    @property
    def is_busy(self) -> bool:
        """Whether a play runs, or its player still waits for its release."""
        return bool(self._playing or self._resting)


def wrong_text(wrong: BaseException) -> str:
    """Return what an exception says, for a LineFault; pjsua2's errors keep their reason in an attribute."""
    return str(getattr(wrong, "reason", "") or wrong or type(wrong).__name__)
