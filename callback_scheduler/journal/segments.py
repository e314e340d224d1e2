"""One file of the journal: how records are framed, written, found again.

A segment is text, one record a line, so that an operator can read it with any pager:

    00000094 1b2c3d4e 17 9f86d081...0f00a08 {"id":...,"type":"order_opened",...}

length (of what follows the checksum) and CRC32 in hex, position in the journal, the chain, then JSON without line
breaks. The chain is SHA-256, in hex, of the chain of the record before (in hex) and the JSON: nobody changes, adds or
takes away a record without changing all that come after. The first line of a file is its header, at position 0:
which journal this is, the position of its first record, and the chain of the last record of the file before. The
file is named by that position, so that a record is found without reading what lies before.

In format 3 what a record says of people is sealed (see `sealing`): the chain is over the record as it is written, so
it can be checked without a key, and stays whole when keys are thrown away. Files of format 2 have all in plain text,
those of format 1 have no chain; both are written anew when a journal with seals is opened (see `upgrade`).
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from callback_scheduler.errors import JournalCorrupt

SUFFIX = ".journal"
PLAIN, SEALED = 2, 3  # formats that are written
_FRAME_BYTES = 18
# Where the journal ended when it was last closed, so that an end cut off later is missed.
END_MARK = "end.json"
# Up to where its files were archived, written before the first of them is moved.
ARCHIVE_MARK = "archived.json"
# Where it ended when it came from a backup; there until what was past by then has been forgotten.
RESTORED_MARK = "restored.json"


class BadRecord(ValueError):
    """A line is no record; `is_torn` if it looks like an append that never came to its end."""

    def __init__(self, what: str, is_torn: bool) -> None:
        super().__init__(what)
        self.is_torn = is_torn


@dataclass(frozen=True, slots=True)
class Segment:
    """What a scan found: records `first` to `last` (`first - 1` if none) in the first `good_bytes` of the file.

    `chain` is that of the last record. `torn` tells in words what is wrong with the bytes behind those, "" if there
    are none. `format` is that of the file.
    """

    path: Path
    journal_id: str
    first: int
    last: int
    good_bytes: int
    chain: str
    torn: str = ""
    has_chain: bool = True
    format: int = PLAIN


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a segment; `chain` is "" in format 1."""

    journal_id: str
    first: int
    chain: str
    format: int


def beginning(journal_id: str) -> str:
    """Return what the chain of a journal begins with."""
    return sha256(journal_id.encode()).hexdigest()


def chained(before: str, body: bytes) -> str:
    """Return the chain of a record behind one whose chain is `before`."""
    return sha256(before.encode() + body).hexdigest()


def frame(position: int, body: bytes, chain: str = "") -> bytes:
    """Return the line of one record; only a header has no chain."""
    content = b"%d %s" % (position, body) if not chain else b"%d %s %s" % (position, chain.encode(), body)
    return b"%08x %08x %s\n" % (len(content), zlib.crc32(content), content)


def unframe(line: bytes) -> tuple[int, str, bytes]:
    """Return position, chain ("" if it has none) and JSON of a line; BadRecord if it is none.

    An append that was cut off leaves a short last line, or, after a power failure, blocks of zeros. A whole line
    whose checksum is wrong is no such thing: it was written, and has been changed since.
    """
    if not line.endswith(b"\n"):
        raise BadRecord("the record ends in mid-line", is_torn=True)
    is_torn = b"\0" in line
    try:
        length, crc = int(line[0:8], 16), int(line[9:17], 16)
    except ValueError:
        raise BadRecord("the line does not begin with a length and a checksum", is_torn) from None
    content = line[_FRAME_BYTES:-1]
    if length != len(content):
        raise BadRecord(f"the record should have {length} bytes and has {len(content)}", is_torn)
    if zlib.crc32(content) != crc:
        raise BadRecord("the checksum is wrong: the record was changed after it was written", is_torn)
    position, _, rest = content.partition(b" ")
    chain, _, body = (b"", b"", rest) if rest.startswith(b"{") else rest.partition(b" ")
    return int(position), chain.decode(), body


def _private(path: str, flags: int) -> int:
    """Open a file that only this user may read: numbers and reasons stand in it."""
    return os.open(path, flags, 0o600)


def create(folder: Path, journal_id: str, first: int, chain: str, number: int = PLAIN) -> Path:
    """Make an empty segment whose first record, at `first`, will follow `chain`; on disk on return, and its name too.

    `number` is that of its format. A crash in here leaves a `.new` file that nobody reads, never a segment with half
    a header.
    """
    path = folder / f"{first:012d}{SUFFIX}"
    being_made = path.with_suffix(".new")
    try:
        with open(being_made, "wb", opener=_private) as file:
            file.write(first_line(journal_id, first, chain, number))
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


def first_line(journal_id: str, first: int, chain: str, number: int) -> bytes:
    """Return the header of a segment whose first record, at `first`, follows `chain`."""
    fields = {"journal": journal_id, "first": first, "format": number, "chain": chain}
    return frame(0, json.dumps(fields, separators=(",", ":")).encode())


@dataclass(frozen=True, slots=True)
class Mark:
    """A position of a journal with its chain, noted beside it."""

    position: int
    chain: str


def write_mark(folder: Path, name: str, mark: Mark) -> None:
    """Put a mark on disk under `name` (END_MARK, ARCHIVE_MARK), whole or not at all; OSError if there is no room."""
    being_made = folder / f"{name}.new"
    with open(being_made, "w", encoding="ascii", opener=_private) as file:
        file.write(json.dumps({"position": mark.position, "chain": mark.chain}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    being_made.rename(folder / name)
    sync_folder(folder)


def read_mark(folder: Path, name: str) -> Mark | None:
    """Return the mark under `name`, None if there is none that can be read."""
    try:
        fields = json.loads((folder / name).read_bytes())
        return Mark(int(fields["position"]), str(fields["chain"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sync_folder(folder: Path) -> None:
    """Put the names in `folder` on disk: fsync of a file alone does not promise that its name survives."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def header(path: Path, line: bytes) -> Header:
    """Return what the first line of a segment says; JournalCorrupt if it is no header, or not of this file."""
    try:
        position, _, body = unframe(line)
        fields = json.loads(body)
        chain, number = str(fields.get("chain", "")), int(fields["format"])
        found = Header(str(fields["journal"]), int(fields["first"]), chain, number)
    except (BadRecord, ValueError, KeyError, TypeError) as wrong:
        raise JournalCorrupt(path, 1, 0, f"no header of a segment: {wrong}") from None
    if position != 0 or found.format not in ((PLAIN, SEALED) if found.chain else (1,)):
        raise JournalCorrupt(path, 1, 0, "the header is of a format this version does not know")
    if path.name != f"{found.first:012d}{SUFFIX}":
        raise JournalCorrupt(path, 1, 0, f"the header says the file begins at {found.first}: was it copied or renamed?")
    return found


def read(path: Path, after: int, until: int) -> Iterator[tuple[int, str, bytes]]:
    """Yield position, chain and JSON of the records of a segment with `after < position <= until`.

    JournalCorrupt if one of them cannot be read.
    """
    with path.open("rb") as file:
        offset = len(file.readline())
        for number, line in enumerate(file, start=2):
            try:
                position, chain, body = unframe(line)
            except BadRecord as bad:
                raise JournalCorrupt(path, number, offset, str(bad)) from None
            if position > until:
                return
            if position > after:
                yield position, chain, body
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
        with open(kept, "wb", opener=_private) as aside:
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
