"""One file of the journal: how records are framed, checked, found again.

A segment is text, one record a line, so that an operator can read it with any pager:

    00000053 1b2c3d4e 17 {"id":...,"type":"order_opened",...}

length (of what follows the checksum) and CRC32 in hex, position in the journal, then JSON without line breaks. The
first line of a file is its header, at position 0: which journal this is, and the position of its first record. The
file is named by that position, so that a record is found without reading what lies before.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from callback_scheduler.errors import JournalCorrupt

SUFFIX = ".journal"
_FRAME_BYTES = 18


class _BadRecord(ValueError):
    """A line is no record; `is_torn` if it looks like an append that never came to its end."""

    def __init__(self, what: str, is_torn: bool) -> None:
        super().__init__(what)
        self.is_torn = is_torn


@dataclass(frozen=True, slots=True)
class Segment:
    """What a scan found: records `first` to `last` (`first - 1` if none) in the first `good_bytes` of the file.

    `torn` tells in words what is wrong with the bytes behind those, "" if there are none.
    """

    path: Path
    journal_id: str
    first: int
    last: int
    good_bytes: int
    torn: str = ""


def frame(position: int, body: bytes) -> bytes:
    """Return the line of one record."""
    content = b"%d %s" % (position, body)
    return b"%08x %08x %s\n" % (len(content), zlib.crc32(content), content)


def _unframe(line: bytes) -> tuple[int, bytes]:
    """Return position and JSON of a line; _BadRecord if it is none.

    An append that was cut off leaves a short last line, or, after a power failure, blocks of zeros. A whole line
    whose checksum is wrong is no such thing: it was written, and has been changed since.
    """
    if not line.endswith(b"\n"):
        raise _BadRecord("the record ends in mid-line", is_torn=True)
    is_torn = b"\0" in line
    try:
        length, crc = int(line[0:8], 16), int(line[9:17], 16)
    except ValueError:
        raise _BadRecord("the line does not begin with a length and a checksum", is_torn) from None
    content = line[_FRAME_BYTES:-1]
    if length != len(content):
        raise _BadRecord(f"the record should have {length} bytes and has {len(content)}", is_torn)
    if zlib.crc32(content) != crc:
        raise _BadRecord("the checksum is wrong: the record was changed after it was written", is_torn)
    position, _, body = content.partition(b" ")
    return int(position), body


def create(folder: Path, journal_id: str, first: int) -> Path:
    """Make an empty segment whose first record will be at `first`; it and its name are on disk on return.

    A crash in here leaves a `.new` file that nobody reads, never a segment with half a header.
    """
    path = folder / f"{first:012d}{SUFFIX}"
    being_made = path.with_suffix(".new")
    header = json.dumps({"journal": journal_id, "first": first, "format": 1}, separators=(",", ":")).encode()
    try:
        with being_made.open("wb") as file:
            file.write(frame(0, header))
            file.flush()
            os.fsync(file.fileno())
        being_made.rename(path)
        sync_folder(folder)
    except OSError:
        # Without its name on disk it must not exist at all: the journal goes on in the file before.
        being_made.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
    return path


def sync_folder(folder: Path) -> None:
    """Put the names in `folder` on disk: fsync of a file alone does not promise that its name survives."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _header(path: Path, line: bytes) -> tuple[str, int]:
    try:
        position, body = _unframe(line)
        fields = json.loads(body)
        journal_id, first = str(fields["journal"]), int(fields["first"])
    except (_BadRecord, ValueError, KeyError, TypeError) as wrong:
        raise JournalCorrupt(path, 1, 0, f"no header of a segment: {wrong}") from None
    if position != 0 or fields.get("format") != 1:
        raise JournalCorrupt(path, 1, 0, "the header is of a format this version does not know")
    if path.name != f"{first:012d}{SUFFIX}":
        raise JournalCorrupt(path, 1, 0, f"the header says the file begins at {first}: was it copied or renamed?")
    return journal_id, first


def scan(path: Path, is_last: bool) -> Segment:
    """Check every record of a segment; JournalCorrupt names the first bad one.

    In the last segment an append that was cut off by a crash is no error: `torn` and `good_bytes` tell of it.
    """
    with path.open("rb") as file:
        line = file.readline()
        journal_id, first = _header(path, line)
        expected, offset, number = first, len(line), 1
        for line in file:
            number += 1
            try:
                position, _ = _unframe(line)
                if position != expected:
                    raise _BadRecord(f"position {position} where {expected} belongs", is_torn=False)
            except _BadRecord as bad:
                if is_last and bad.is_torn and not _has_records(file):
                    return Segment(path, journal_id, first, expected - 1, offset, f"line {number}: {bad}")
                raise JournalCorrupt(path, number, offset, str(bad)) from None
            expected, offset = position + 1, offset + len(line)
    return Segment(path, journal_id, first, expected - 1, offset)


def _has_records(lines: Iterator[bytes]) -> bool:
    """Whether any good record follows: then what came before it was written whole, and is damage."""
    for line in lines:
        try:
            _unframe(line)
        except (_BadRecord, ValueError):
            continue
        return True
    return False


def read(path: Path, after: int, until: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and JSON of the records of a segment with `after < position <= until`.

    JournalCorrupt if one of them cannot be read.
    """
    with path.open("rb") as file:
        offset = len(file.readline())
        for number, line in enumerate(file, start=2):
            try:
                position, body = _unframe(line)
            except _BadRecord as bad:
                raise JournalCorrupt(path, number, offset, str(bad)) from None
            if position > until:
                return
            if position > after:
                yield position, body
            if position == until:
                return
            offset += len(line)


def set_tail_aside(segment: Segment) -> Path:
    """Cut the torn bytes off a segment and keep them beside it; return where they lie now."""
    kept = segment.path.with_name(f"{segment.path.name}.{segment.good_bytes}.torn")
    copies = 1
    while kept.exists():
        copies += 1
        kept = segment.path.with_name(f"{segment.path.name}.{segment.good_bytes}.{copies}.torn")
    with segment.path.open("r+b") as file:
        file.seek(segment.good_bytes)
        with kept.open("wb") as aside:
            aside.write(file.read())
            aside.flush()
            os.fsync(aside.fileno())
        file.truncate(segment.good_bytes)
        os.fsync(file.fileno())
    sync_folder(segment.path.parent)
    return kept


class SegmentWriter:
    """Appends to one segment, all or nothing."""

    def __init__(self, path: Path, good_bytes: int) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self.good_bytes = good_bytes
        self._must_roll_back = False

    def append(self, records: bytes) -> None:
        """Put `records` on disk behind the last ones; OSError if that failed, and then the file is as before."""
        self.roll_back()
        self._must_roll_back = True
        try:
            self._write(records)
            os.fdatasync(self._descriptor)
        except OSError:
            self.roll_back()
            raise
        self._must_roll_back = False
        self.good_bytes += len(records)

    def roll_back(self) -> None:
        """Cut off what a failed append left; tried again before the next append if it fails now."""
        if self._must_roll_back:
            os.ftruncate(self._descriptor, self.good_bytes)
            os.fdatasync(self._descriptor)
            self._must_roll_back = False

    def _write(self, records: bytes) -> None:
        rest, offset = memoryview(records), self.good_bytes
        while rest:
            written = os.pwrite(self._descriptor, rest, offset)
            rest, offset = rest[written:], offset + written

    def close(self) -> None:
        """Close the file; everything appended is on disk already."""
        os.close(self._descriptor)
