"""Reads a journal from its first record to its last, and names the first that is not what was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from callback_scheduler.errors import JournalCorrupt
from callback_scheduler.journal.segments import (
    ARCHIVE_MARK,
    END_MARK,
    SUFFIX,
    BadRecord,
    Header,
    Segment,
    beginning,
    chained,
    header,
    read_mark,
    unframe,
)


@dataclass(slots=True)
class _Cursor:
    """Where in a file a scan stands: the record that belongs next, and what it must follow."""

    expected: int
    chain: str
    offset: int
    line: int = 1


def segment_files(folder: Path) -> list[Path]:
    """Return the files of the journal in `folder`, in order."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def scan_folder(folder: Path) -> Iterator[Segment]:
    """Yield the segments of a journal in order, each checked; JournalCorrupt names the first bad record.

    Those archived are not read, also if they lie there still; the first one behind them must follow from them.
    """
    paths = segment_files(folder)
    before: Segment | None = None
    mark = read_mark(folder, ARCHIVE_MARK)
    if mark is not None:
        paths = [path for path in paths if path.name > f"{mark.position:012d}{SUFFIX}"]
        before = Segment(folder / ARCHIVE_MARK, "", 1, mark.position, 0, mark.chain, has_chain=False)
    for path in paths:
        before = scan(path, is_last=path == paths[-1], before=before)
        yield before


def check_end(folder: Path, found: Sequence[Segment]) -> None:
    """Raise JournalCorrupt if a journal lacks records that were in it when it was closed last, or has others."""
    mark = read_mark(folder, END_MARK)
    last = found[-1] if found else Segment(folder, "", 1, 0, 0, "")
    line = last.last - last.first + 2
    if mark is not None and mark.position > last.last:
        what = f"the journal ends at record {last.last}, but its own note of its end knows {mark.position}: cut off"
        raise JournalCorrupt(last.path, line, last.good_bytes, what)
    if mark is not None and mark.position == last.last > 0 and mark.chain != last.chain:
        what = f"record {last.last} is not the one that the journal's own note of its end knows: written anew"
        raise JournalCorrupt(last.path, line, last.good_bytes, what)


def scan(path: Path, is_last: bool, before: Segment | None = None) -> Segment:
    """Check every record of a segment and that it follows `before`; JournalCorrupt names the first bad one.

    In the last segment an append that was cut off by a crash is no error: `torn` and `good_bytes` tell of it.
    """
    with path.open("rb") as file:
        line = file.readline()
        head = header(path, line)
        cursor = _Cursor(head.first, _chain_before(path, head, before), len(line))
        torn = ""
        for line in file:
            cursor.line += 1
            try:
                _check(line, cursor, has_chain=bool(head.chain))
            except BadRecord as bad:
                if not is_last or not bad.is_torn or _has_records(file):
                    raise JournalCorrupt(path, cursor.line, cursor.offset, str(bad)) from None
                torn = f"line {cursor.line}: {bad}"
                break
    last = cursor.expected - 1
    return Segment(
        path, head.journal_id, head.first, last, cursor.offset, cursor.chain, torn, bool(head.chain), head.format
    )


def _chain_before(path: Path, head: Header, before: Segment | None) -> str:
    """What the first record of a segment must follow."""
    if before is None:
        if head.first != 1:
            raise JournalCorrupt(path, 1, 0, f"begins at {head.first}: that beginning at 1 is missing")
        if head.chain not in {"", beginning(head.journal_id)}:
            raise JournalCorrupt(path, 1, 0, "its chain does not begin as that of a journal does")
        return beginning(head.journal_id)
    if before.journal_id and head.journal_id != before.journal_id:
        raise JournalCorrupt(path, 1, 0, f"belongs to another journal than {before.path.name}")
    if head.first > before.last + 1:
        what = f"begins at {head.first}: that beginning at {before.last + 1} is missing"
        raise JournalCorrupt(path, 1, 0, what)
    if head.first <= before.last:
        what = f"begins at {head.first}, but {before.path.name} goes to {before.last}: one of them is there twice"
        raise JournalCorrupt(path, 1, 0, what)
    if head.chain not in {"", before.chain} or (before.has_chain and not head.chain):
        raise JournalCorrupt(path, 1, 0, f"does not follow from {before.path.name}, whose end was changed or exchanged")
    return before.chain


def _check(line: bytes, cursor: _Cursor, has_chain: bool) -> None:
    """Move `cursor` over the record in `line`; BadRecord if it is not the one that belongs there."""
    position, chain, body = unframe(line)
    if position != cursor.expected:
        why = "a record was taken out" if position > cursor.expected else "a record is there twice"
        raise BadRecord(f"position {position} where {cursor.expected} belongs: {why}", is_torn=False)
    follows = chained(cursor.chain, body)
    if has_chain and chain != follows:
        raise BadRecord("the record does not follow from the one before: one of both was changed", is_torn=False)
    cursor.expected, cursor.chain, cursor.offset = position + 1, follows, cursor.offset + len(line)


def _has_records(lines: Iterator[bytes]) -> bool:
    """Whether any good record follows: then what came before it was written whole, and is damage."""
    for line in lines:
        try:
            unframe(line)
        except (BadRecord, ValueError):
            continue
        return True
    return False
