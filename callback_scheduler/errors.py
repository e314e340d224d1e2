"""Everything that can go wrong with what we owe, as one tree."""

from __future__ import annotations

from pathlib import Path


class SchedulerError(Exception):
    """Something about orders, their journal or their store went wrong."""


class IllegalTransition(SchedulerError):
    """An order was told of an event that cannot happen in its state; the order is as it was."""


class JournalError(SchedulerError):
    """The journal cannot do what was asked."""


class JournalLocked(JournalError):
    """Another process has this journal open; two writers would ruin it."""


class JournalClosed(JournalError):
    """The journal is not open (any more); nothing was written."""


class JournalWriteFailed(JournalError):
    """The event is not on disk, and the journal ends where it ended before; a later append may succeed."""


class JournalFull(JournalWriteFailed):
    """The disk, the quota or the file size limit is used up; the event is not on disk."""


class JournalCorrupt(JournalError):
    """A record that was once on disk cannot be read any more: somebody must look before anything is built on it.

    `path`, `line` (from 1) and `offset` (bytes from the start of the file) tell where.
    """

    def __init__(self, path: Path, line: int, offset: int, what: str) -> None:
        super().__init__(f"{path}: line {line} (byte {offset}): {what}")
        self.path, self.line, self.offset, self.what = path, line, offset, what


class StoreError(SchedulerError):
    """The Redis store cannot do what was asked."""


class StoreUnavailable(StoreError):
    """Redis does not answer, or answers that it cannot write now; what waits for it stays in the journal."""


class EmbeddedRedisError(StoreError):
    """The redis-server of our own does not start; the message ends with its last words."""
