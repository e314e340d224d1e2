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
import json
import os
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import Deferred

from callback_scheduler import segments
from callback_scheduler.errors import (
    JournalClosed,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalLocked,
    JournalWriteFailed,
)
from callback_scheduler.segments import Segment, SegmentWriter

log = structlog.get_logger()

_MAX_GROUP = 2000
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """Something that happened `at` (UTC); `payload` is JSON, `event_id` names it for ever."""

    event_id: str
    event_type: str
    at: datetime
    payload: dict[str, Any]

    @classmethod
    def new(cls, event_type: str, payload: dict[str, Any], at: datetime) -> JournalEvent:
        """Return an event with an id of its own and a copy of `payload`, so that nobody changes it on its way.

        ValueError if `at` is naive, TypeError or ValueError if the payload is no JSON.
        """
        if at.tzinfo is None:
            raise ValueError(f"{at} has no time zone, so it is no instant")
        return cls(uuid.uuid4().hex, event_type, at.astimezone(timezone.utc), json.loads(_as_json(payload)))

    def to_json(self) -> bytes:
        """Return the record; TypeError or ValueError if the payload is no JSON."""
        fields = {"id": self.event_id, "type": self.event_type, "at": self.at.isoformat(), "payload": self.payload}
        return _as_json(fields)

    @classmethod
    def from_json(cls, body: bytes) -> JournalEvent:
        """Return the event of a record; ValueError or KeyError if it is none."""
        fields = json.loads(body)
        return cls(fields["id"], fields["type"], datetime.fromisoformat(fields["at"]), fields["payload"])


def _as_json(value: Any) -> bytes:
    """JSON in UTF-8; half characters, which a phone may send in a name, become question marks, and cost no order."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode(errors="replace")


Durable = list[tuple[int, JournalEvent]]


@dataclass(frozen=True, slots=True)
class _Append:
    event: JournalEvent
    body: bytes
    written: Deferred[int]


class Journal:
    """The journal in one folder, open in one process at a time.

    `reactor` needs callFromThread only. `on_durable` is called in the writer thread with each group of events that
    is on disk, in order, before their Deferreds fire.
    """

    def __init__(
        self,
        folder: Path,
        reactor: Any,
        *,
        on_durable: Callable[[Durable], None] = lambda group: None,
        segment_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        self.folder = folder
        self.journal_id = ""
        self.position = 0  # of the last record on disk
        self.torn: tuple[str, ...] = ()  # what was repaired when the journal was opened, in words
        self._reactor = reactor
        self._on_durable = on_durable
        self._segment_bytes = segment_bytes
        self._segments: list[Segment] = []
        self._waiting: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._appended = self._finished = 0  # each counted in one thread only
        self._lock_descriptor = -1
        self._is_open = False
        self._thread = threading.Thread(target=self._write_groups, name="journal", daemon=True)

    # -- opening and closing; both block --------------------------------------------------------------------------

    def open(self) -> None:
        """Check the whole journal, repair a torn tail, begin to write; blocks while it reads.

        Raises JournalLocked if another process has it, JournalCorrupt if a record cannot be read.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock()
        try:
            self._segments = self._scan()
            if not self._segments:
                self._add_segment(uuid.uuid4().hex, 1)
            last = self._segments[-1]
            self.journal_id, self.position = last.journal_id, last.last
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

    def _scan(self) -> list[Segment]:
        paths = sorted(self.folder.glob(f"*{segments.SUFFIX}"))
        found: list[Segment] = []
        for path in paths:
            segment = segments.scan(path, is_last=path == paths[-1])
            if found and segment.journal_id != found[0].journal_id:
                raise JournalCorrupt(path, 1, 0, f"belongs to another journal than {found[0].path.name}")
            expected = found[-1].last + 1 if found else 1
            if segment.first != expected:
                raise JournalCorrupt(path, 1, 0, f"begins at {segment.first}: that beginning at {expected} is missing")
            found.append(self._repaired(segment) if segment.torn else segment)
        return found

    def _repaired(self, segment: Segment) -> Segment:
        kept = segments.set_tail_aside(segment)
        report = f"{segment.path.name}, {segment.torn}; never acknowledged; kept as {kept.name}"
        log.warning("journal_tail_torn", file=str(segment.path), what=segment.torn, kept_as=str(kept))
        self.torn += (report,)
        return Segment(segment.path, segment.journal_id, segment.first, segment.last, segment.good_bytes)

    def _add_segment(self, journal_id: str, first: int) -> None:
        path = segments.create(self.folder, journal_id, first)
        self._segments.append(Segment(path, journal_id, first, first - 1, path.stat().st_size))

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
        waiting = _Append(event, event.to_json(), Deferred())
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
        durable = [(self.position + n, waiting.event) for n, waiting in enumerate(group, start=1)]
        records = b"".join(
            segments.frame(position, waiting.body) for (position, _), waiting in zip(durable, group, strict=True)
        )
        try:
            self._begin_segment_if_full()
            self._writer.append(records)
        except OSError as failed:
            reason = self._failure(failed)
            log.error("journal_write_failed", file=str(self._segments[-1].path), events=len(group), error=str(failed))
            self._reactor.callFromThread(_fail, group, reason)
            return
        self.position = durable[-1][0]
        self._on_durable(durable)
        self._reactor.callFromThread(_succeed, group, durable)

    def _failure(self, failed: OSError) -> JournalWriteFailed:
        kind = JournalFull if failed.errno in _NO_SPACE else JournalWriteFailed
        return kind(f"{self._segments[-1].path}: {failed.strerror or failed}; the event is not on disk")

    def _begin_segment_if_full(self) -> None:
        if self._writer.good_bytes < self._segment_bytes:
            return
        self._writer.roll_back()  # or the file that is left behind would end in half a record
        try:
            self._add_segment(self.journal_id, self.position + 1)
        except OSError as failed:
            # A file longer than wished for is better than a caller refused.
            log.warning("journal_segment_not_begun", folder=str(self.folder), error=str(failed))
            return
        self._writer.close()
        last = self._segments[-1]
        self._writer = SegmentWriter(last.path, last.good_bytes)

    # -- reading --------------------------------------------------------------------------------------------------

    def replay(self, after: int = 0, event_types: tuple[str, ...] = ()) -> Iterator[tuple[int, JournalEvent]]:
        """Yield position and event of all that is on disk behind position `after`; safe in any thread.

        With `event_types` only events of these types, read without decoding the others. Raises JournalCorrupt.
        """
        wanted = [b'"type":"%s"' % name.encode() for name in event_types]
        known = list(self._segments)
        for n, segment in enumerate(known):
            if n + 1 < len(known) and known[n + 1].first <= after + 1:
                continue
            if segment.first > self.position:
                return
            for position, body in segments.read(segment.path, after, self.position):
                if not wanted or any(name in body for name in wanted):
                    event = JournalEvent.from_json(body)
                    if not event_types or event.event_type in event_types:
                        yield position, event

    def status(self) -> dict[str, Any]:
        """Return what an operator wants to know."""
        return {
            "folder": str(self.folder),
            "journal_id": self.journal_id,
            "position": self.position,
            "queued": self.queued,
            "segments": len(self._segments),
            "torn": list(self.torn),
        }


def _fail(group: list[_Append], reason: JournalError) -> None:
    for waiting in group:
        waiting.written.errback(reason)


def _succeed(group: list[_Append], durable: Durable) -> None:
    for waiting, (position, _) in zip(group, durable, strict=True):
        waiting.written.callback(position)
