"""Everything that can go wrong with what we owe, as one tree."""

from __future__ import annotations

from pathlib import Path


class SchedulerError(Exception):
    """Something about orders, their journal or their store went wrong; `what_to_do` tells an operator, if he can do."""

    what_to_do = ""


class IllegalTransition(SchedulerError):
    """An order was told of an event that cannot happen in its state; the order is as it was."""


class UnknownOrder(SchedulerError):
    """No order has this number."""


class StaleOrder(SchedulerError):
    """The order was changed by somebody else meanwhile: read it again; nothing was changed."""


class FencedOff(SchedulerError):
    """Somebody else has taken a later lease on the order: keep your hands off it; nothing was changed."""


class NotProved(SchedulerError):
    """An order was to be called reached without evidence of it (design rule 18)."""


class DataDirInUse(SchedulerError):
    """Another node runs on this data_dir: nothing of it was touched."""

    what_to_do = (
        "Does `hotline serve` run twice with this data_dir? The other one goes on unharmed. "
        "Stop it first, or give this one its own with --data-dir."
    )


class NodeNumberTaken(SchedulerError):
    """Another node that shares this Redis has the same node_number: both would give the same order numbers."""

    what_to_do = (
        "Give every node that shares a Redis a node_number of its own in hotline.yaml. If the other node is gone for "
        "good, wait until its claim has run out, and start this one again."
    )


class StartCalledOff(SchedulerError):
    """The node was told to stop while it was starting; nothing more was begun."""


class JournalError(SchedulerError):
    """The journal cannot do what was asked."""


class JournalLocked(JournalError):
    """Another process has this journal open; two writers would ruin it."""

    what_to_do = "Does `hotline serve` run twice with this data_dir? Stop that process first, or give this one its own."


class JournalClosed(JournalError):
    """The journal is not open (any more); nothing was written."""


class JournalWriteFailed(JournalError):
    """The event is not on disk, and the journal ends where it ended before; a later append may succeed."""


class JournalFull(JournalWriteFailed):
    """The disk, the quota or the file size limit is used up; the event is not on disk."""

    what_to_do = (
        "Make room on this file system: callers hear an apology and get no order until there is some. "
        "All orders given so far are safe, and nothing must be restarted."
    )


class JournalCorrupt(JournalError):
    """A record that was once on disk cannot be read any more: somebody must look before anything is built on it.

    `path`, `line` (from 1) and `offset` (bytes from the start of the file) tell where.
    """

    what_to_do = (
        "Nothing was changed; what was acknowledged is still in these files, in the last backup or in Redis. "
        "Copy the whole folder before you touch it, then go on as docs/operations.md says under \"A damaged journal\"."
    )

    def __init__(self, path: Path, line: int, offset: int, what: str) -> None:
        super().__init__(f"{path}: line {line} (byte {offset}): {what}")
        self.path, self.line, self.offset, self.what = path, line, offset, what


class StoreError(SchedulerError):
    """The Redis store cannot do what was asked."""


class StoreUnavailable(StoreError):
    """Redis does not answer, or answers that it cannot write now; what waits for it stays in the journal."""


class EmbeddedRedisError(StoreError):
    """The redis-server of our own does not start; the message ends with its last words."""


class NoticeError(SchedulerError):
    """A receiver was not told of something."""


class NotDelivered(NoticeError):
    """The receiver is away, or has no time now: the notice will be tried again, after `retry_after_s` at the least."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class ReceiverClosed(NotDelivered):
    """The receiver lets us in no more, or is not there: whatever it was sent, it would have answered the same."""


class NoticeRefused(NoticeError):
    """The receiver will not have this notice, now or later: it becomes a dead letter."""


class UnknownNotice(NoticeError):
    """No dead letter has this id."""


class BackupError(SchedulerError):
    """A backup was not made, or was not restored; the message names the file, and nothing half done is left."""


class RestoreCutOff(BackupError):
    """A restore into this data_dir did not come to its end: a node that began here would know of no order."""

    what_to_do = (
        "Empty the folder, and run `hotline restore` with the same archive again; nothing in it is needed."
    )
