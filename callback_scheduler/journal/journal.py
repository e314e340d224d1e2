"""The journal: what happened, on disk before anybody is told of it.

Design rule 15: journal first, Redis second. `append` hands an event to the one writer thread, which takes all that
waits, writes it in one piece, calls fdatasync once (group commit), and only then fires the Deferreds. So the price
of a sync is shared by all calls of that moment, and the reactor never waits for a disk.

How far Redis has come is not noted here: the marker lies in Redis itself, written by the same script as what it
tells of, so that the two cannot disagree even if Redis loses its last second, or everything.
"""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import Deferred

from callback_scheduler.errors import (
    JournalClosed,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalLocked,
    JournalWriteFailed,
)
from callback_scheduler.journal import segments, upgrade
from callback_scheduler.journal.event import Durable, JournalEvent, as_json
from callback_scheduler.journal.keys import FILE, KeyName, Keys
from callback_scheduler.journal.scan import check_end, scan_folder
from callback_scheduler.journal.sealing import SealOf, body_of, chain_before_sealing, opened
from callback_scheduler.journal.segments import END_MARK, Mark, Segment, SegmentWriter, write_mark

__all__ = ["Durable", "Journal", "JournalEvent"]

log = structlog.get_logger()

_MAX_GROUP = 2000
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class _Append:
    event: JournalEvent
    payload: bytes
    written: Deferred[int]


class Journal:
    """The journal in one folder, open in one process at a time.

    `reactor` needs callFromThread only. `on_durable` is called in the writer thread with each group of events that
    is on disk, in order, before their Deferreds fire. `seal_of` tells what is sealed in an event; a journal of an
    earlier version is then written anew, sealed, when it is opened.
    """

    def __init__(
        self,
        folder: Path,
        reactor: Any,
        *,
        on_durable: Callable[[Durable], None] = lambda group: None,
        segment_bytes: int = 16 * 1024 * 1024,
        seal_of: SealOf | None = None,
    ) -> None:
        self.folder = folder
        self.journal_id = ""
        self.position = 0  # of the last record on disk
        self.chain = ""  # of the same; the journal has been changed if another chain belongs to this position
        self.failed_at_s: float | None = None  # by the monotonic clock: when the disk last refused, None once it took
        self.torn: tuple[str, ...] = ()  # what was repaired when the journal was opened, in words
        self._reactor = reactor
        self._on_durable = on_durable
        self._segment_bytes = segment_bytes
        self._seal_of = seal_of
        self._keys = Keys(folder / FILE)
        self._segments: list[Segment] = []
        self._waiting: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._appended = self._finished = 0  # each counted in one thread only
        self._lock_descriptor = -1
        self._is_open = False
        self._thread = threading.Thread(target=self._write_groups, name="journal", daemon=True)

    # -- opening and closing; both block --------------------------------------------------------------------------

    def open(self) -> None:
        """Check the whole journal, repair a torn tail, begin to write; blocks while it reads.

        Raises JournalLocked if another process has it, JournalCorrupt if a record cannot be read, or is missing at
        the end.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock()
        try:
            upgrade.go_on(self.folder)
            found = list(scan_folder(self.folder))
            check_end(self.folder, found)  # before a torn tail is set aside: it may be one that was acknowledged
            self._segments = [self._repaired(segment) for segment in found]
            self._open_keys()
            if not self._segments:
                journal_id = uuid.uuid4().hex
                self._add_segment(journal_id, 1, segments.beginning(journal_id))
            last = self._segments[-1]
            self.journal_id, self.position, self.chain = last.journal_id, last.last, last.chain
            if not last.has_chain:
                self._begin_chained_segment()
                last = self._segments[-1]
            self._writer = SegmentWriter(last.path, last.good_bytes)
        except BaseException:
            os.close(self._lock_descriptor)
            raise
        self._is_open = True
        self._thread.start()

    def close(self) -> None:
        """Write what still waits, then give the folder free; blocks until done."""
        if not self._is_open:
            return
        self._is_open = False
        self._waiting.put(None)
        self._thread.join()
        while not self._waiting.empty():  # what was appended in the moment of closing
            late = self._waiting.get()
            if late is not None:
                self._reactor.callFromThread(_fail, [late], JournalClosed(f"{self.folder} was closed: not written"))
        self._writer.close()
        self._note_end()
        os.close(self._lock_descriptor)

    def _lock(self) -> None:
        self._lock_descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._lock_descriptor, 20).decode(errors="replace").strip()
            os.close(self._lock_descriptor)
            raise JournalLocked(f"{self.folder} is in use by process {owner or '?'}: one node, one journal") from None
        os.ftruncate(self._lock_descriptor, 0)
        os.pwrite(self._lock_descriptor, b"%d\n" % os.getpid(), 0)

    def _repaired(self, segment: Segment) -> Segment:
        if not segment.torn:
            return segment
        kept = segments.set_tail_aside(segment)
        report = f"{segment.path.name}, {segment.torn}; never acknowledged; kept as {kept.name}"
        log.warning("journal_tail_torn", file=str(segment.path), what=segment.torn, kept_as=str(kept))
        self.torn += (report,)
        return replace(segment, torn="")

    def _open_keys(self) -> None:
        """Read the keys; write the files of an earlier version anew, or, without room for that, another time."""
        if self._seal_of is None:
            self._keys.read()
            return
        are_sealed = [segment.format == segments.SEALED for segment in self._segments]
        self._keys.open(must_be_there=any(are_sealed))
        if all(are_sealed):
            return
        try:
            upgrade.seal(self._segments, self._seal_of, self._keys)
        except OSError as failed:
            log.error("journal_not_sealed", folder=str(self.folder), error=str(failed))
            return
        self._segments = list(scan_folder(self.folder))
        log.warning("journal_sealed", folder=str(self.folder), files=len(self._segments))

    def _begin_chained_segment(self) -> None:
        """Let the chain begin behind files of format 1, whose own it holds fast."""
        if self._segments[-1].last < self._segments[-1].first:
            self._segments.pop()  # without a record, it makes way for one of the same name
        self._add_segment(self.journal_id, self.position + 1, self.chain)

    def _add_segment(self, journal_id: str, first: int, chain: str) -> None:
        number = segments.SEALED if self._seal_of else segments.PLAIN
        path = segments.create(self.folder, journal_id, first, chain, number)
        if self._segments:
            self._segments[-1] = replace(self._segments[-1], last=first - 1, chain=chain)
        size = path.stat().st_size
        self._segments.append(Segment(path, journal_id, first, first - 1, size, chain, format=number))

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The files of the journal, oldest first; of the last one, `last` and `chain` are those of its beginning."""
        return tuple(self._segments)

    def let_go(self, segments_archived: int) -> None:
        """Do not read the first files any more; the last one stays."""
        del self._segments[: min(segments_archived, len(self._segments) - 1)]

    def forget(self, before: str, kept: Iterable[KeyName]) -> bool:
        """Throw away the keys of what was sealed under days before `before`, but for the `kept`; whether any went.

        See `Keys.forget`. Blocks; OSError if that cannot be written.
        """
        return self._keys.forget(before, kept)

    # -- writing --------------------------------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """How many events are not on disk yet, those being written included."""
        return self._appended - self._finished

    def append(self, event: JournalEvent) -> Deferred[int]:
        """Return a Deferred that fires with the position of `event` once it is on disk.

        It fails with JournalFull or JournalWriteFailed if it is not, and the journal is as before. JournalClosed,
        and TypeError or ValueError for a payload that is no JSON, are raised at once.
        """
        if not self._is_open:
            raise JournalClosed(f"{self.folder} is not open: {event.event_type} was not written")
        waiting = _Append(event, as_json(event.payload), Deferred())
        self._appended += 1
        self._waiting.put(waiting)
        return waiting.written

    def _write_groups(self) -> None:
        while True:
            group = [self._waiting.get()]
            while len(group) < _MAX_GROUP and group[-1] is not None:
                try:
                    group.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            appends = [waiting for waiting in group if waiting is not None]
            if appends:
                self._write_group(appends)
                self._finished += len(appends)
            if group[-1] is None:
                return

    def _write_group(self, group: list[_Append]) -> None:
        durable, lines, chain = [], [], self.chain
        try:
            self._begin_segment_if_full()
            for position, waiting in enumerate(group, start=self.position + 1):
                body = self._body(waiting)
                chain = segments.chained(chain, body)
                durable.append((position, replace(waiting.event, chain=chain)))
                lines.append(segments.frame(position, body, chain))
            self._writer.append(b"".join(lines))
        except Exception as failed:  # whatever it is: nobody may wait for ever for a thread that has died
            self._refuse(group, failed)
            return
        self.failed_at_s = None
        self.position, self.chain = durable[-1][0], chain
        try:
            self._on_durable(durable)
        except Exception:  # it is on disk, and the store reads it from there
            log.exception("journal_reader_failed")
        self._reactor.callFromThread(_succeed, group, durable)

    def _refuse(self, group: list[_Append], failed: Exception) -> None:
        reason = self._failure(failed)
        log.error(
            "journal_write_failed", file=str(self._segments[-1].path), events=len(group), error=str(failed),
            what_to_do=reason.what_to_do, exc_info=None if isinstance(failed, OSError) else failed,
        )  # fmt: skip
        self.failed_at_s = time.monotonic()
        self._reactor.callFromThread(_fail, group, reason)

    def _body(self, waiting: _Append) -> bytes:
        # a file of an earlier version, which could not be sealed, is read by those who know no seals
        is_sealed = self._seal_of is not None and self._segments[-1].format == segments.SEALED
        seal = self._seal_of(waiting.event) if is_sealed and self._seal_of else None
        return body_of(waiting.event, waiting.payload, seal, self._keys)

    def _failure(self, failed: Exception) -> JournalWriteFailed:
        is_full = isinstance(failed, OSError) and failed.errno in NO_SPACE
        kind = JournalFull if is_full else JournalWriteFailed
        why = (failed.strerror if isinstance(failed, OSError) else "") or failed
        return kind(f"{self._segments[-1].path}: {why}; the event is not on disk")

    def _begin_segment_if_full(self) -> None:
        if self._writer.good_bytes < self._segment_bytes:
            return
        self._writer.roll_back()  # or the file that is left behind would end in half a record
        try:
            self._add_segment(self.journal_id, self.position + 1, self.chain)
        except OSError as failed:
            # A file longer than wished for is better than a caller refused.
            log.warning("journal_segment_not_begun", folder=str(self.folder), error=str(failed))
            return
        self._writer.close()
        self._note_end()
        last = self._segments[-1]
        self._writer = SegmentWriter(last.path, last.good_bytes)

    def _note_end(self) -> None:
        try:
            write_mark(self.folder, END_MARK, Mark(self.position, self.chain))
        except OSError as failed:
            log.warning("journal_end_not_noted", folder=str(self.folder), error=str(failed))

    # -- reading --------------------------------------------------------------------------------------------------

    def replay(self, after: int = 0, event_types: tuple[str, ...] = ()) -> Iterator[tuple[int, JournalEvent]]:
        """Yield position and event of all that is on disk behind position `after`; safe in any thread.

        With `event_types` only events of these types, read without decoding the others; of those that are forgotten
        only what names their subject. Raises JournalCorrupt.
        """
        wanted = [b'"type":"%s"' % name.encode() for name in event_types]
        known = list(self._segments)
        for n, segment in enumerate(known):
            if n + 1 < len(known) and known[n + 1].first <= after + 1:
                continue
            if segment.first > self.position:
                return
            for position, chain, body in segments.read(segment.path, after, self.position):
                if not wanted or any(name in body for name in wanted):
                    event = self._opened(segment, position, chain, body)
                    if not event_types or event.event_type in event_types:
                        yield position, event

    def _opened(self, segment: Segment, position: int, chain: str, body: bytes) -> JournalEvent:
        try:
            return opened(body, chain, self._keys)
        except (ValueError, KeyError) as wrong:
            line = position - segment.first + 2
            raise JournalCorrupt(segment.path, line, 0, f"the record cannot be read: {wrong}") from wrong

    def had_chain(self, position: int, chain: str) -> bool:
        """Whether the record at `position` has this chain, or had it before it was sealed. Raises JournalCorrupt."""
        for segment in self._segments:
            if segment.first <= position and segment.has_chain:
                for found, now, body in segments.read(segment.path, position - 1, min(position, self.position)):
                    if found == position:
                        return chain in (now, chain_before_sealing(body))
        return False

    def chain_at(self, position: int) -> str:
        """Return the chain of the record at `position`; "" if it has none, or is not there. Raises JournalCorrupt."""
        for segment in self._segments:
            if segment.first <= position and segment.has_chain:
                for found, chain, _ in segments.read(segment.path, position - 1, min(position, self.position)):
                    if found == position:
                        return chain
        return ""

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know."""
        return {
            "folder": str(self.folder),
            "journal_id": self.journal_id,
            "position": self.position,
            "chain": self.chain,
            "queued": self.queued,
            "failed_s_ago": None if self.failed_at_s is None else round(time.monotonic() - self.failed_at_s, 1),
            "segments": len(self._segments),
            "torn": list(self.torn),
        }


def _fail(group: list[_Append], reason: JournalError) -> None:
    for waiting in group:
        waiting.written.errback(reason)


def _succeed(group: list[_Append], durable: Durable) -> None:
    for waiting, (position, _) in zip(group, durable, strict=True):
        waiting.written.callback(position)
