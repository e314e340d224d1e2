"""Whether the file of a recording grows as it should: the SIP stack says nothing when the disk is full."""

from __future__ import annotations

import os
from pathlib import Path

from ivr.line.wav import BYTES_PER_SECOND

_LOOK_S = 5.0
# More than the writer keeps in its buffer (1.6 s) and a busy machine makes late.
_MOST_MISSING_S = 2.5
_SUSPICIOUS_S = 0.5
# A loop that stood still has heard nothing: its next round counts as one of the usual length.
_LONGEST_ROUND_S = 1.5
_TRIAL = bytes(32 * 1024)


def lacks_room(path: str, least_free_bytes: int) -> str:
    """Say that the file system of `path` has less than `least_free_bytes` free, "" if it has more."""
    room = os.statvfs(Path(path).parent)
    free_bytes = room.f_bavail * room.f_frsize
    return f"{free_bytes} bytes are free, {least_free_bytes} must be" if free_bytes < least_free_bytes else ""


class Growth:
    """Compares what one file has grown by with how long its recording has been heard."""

    def __init__(self, path: str, least_free_bytes: int, now: float) -> None:
        self._path, self._least_free_bytes = path, least_free_bytes
        self._last_s = now
        self._heard_s = 0.0
        self._size = _size(path)
        self._next_look_s = now + _LOOK_S

    def note(self, now: float, is_heard: bool) -> str:
        """Take note of whether somebody is heard since the last call; return why the recording is cut, "" if it is not.

        Called every second or so.
        """
        self._count(now, is_heard)
        if now < self._next_look_s:
            return ""
        why = lacks_room(self._path, self._least_free_bytes)
        if not why and self._missing_s() > _MOST_MISSING_S:
            why = f"{self._missing_s():.1f} s of sound did not come to disk"
        self._heard_s, self._size, self._next_look_s = 0.0, _size(self._path), now + _LOOK_S
        return why

    def stopped(self, now: float) -> None:
        """Take note that nothing is heard any more; the file is closed soon."""
        self._count(now, is_heard=True)

    def at_the_end(self) -> str:
        """Return why the last stretch of the closed file is cut, "" if it is not."""
        missing_s = self._missing_s()
        if missing_s > _MOST_MISSING_S:
            return f"{missing_s:.1f} s of sound did not come to disk"
        return _cannot_grow(self._path) if missing_s > _SUSPICIOUS_S else ""

    def _count(self, now: float, is_heard: bool) -> None:
        if is_heard:
            self._heard_s += min(now - self._last_s, _LONGEST_ROUND_S)
        self._last_s = now

    def _missing_s(self) -> float:
        return self._heard_s - (_size(self._path) - self._size) / BYTES_PER_SECOND


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _cannot_grow(path: str) -> str:
    """Say why no sound could be put behind a file, "" if some could; the file is as before."""
    try:
        with open(path, "r+b") as file:
            end = file.seek(0, os.SEEK_END)
            try:
                file.write(_TRIAL)
                file.flush()
                os.fsync(file.fileno())
            finally:
                os.truncate(path, end)
    except OSError as wrong:
        return wrong.strerror or str(wrong)
    return ""
