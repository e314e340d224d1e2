"""Seals a journal of an earlier version: its files are written anew, so that what they say of people can be forgotten.

Each record comes to stand where it stood, under a new chain, since the old one is over the plain text. With it stands
the chain that it had, so that whoever noted an old one (Redis, a backup, an auditor) finds it again. New files are
written beside the old ones, and take their place when the last of them is on disk: a note, written in one step, says
that they are whole. Before it a crash leaves the old journal, behind it the new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from callback_scheduler.errors import JournalCorrupt
from callback_scheduler.journal import segments
from callback_scheduler.journal.event import JournalEvent, as_json
from callback_scheduler.journal.keys import Keys
from callback_scheduler.journal.sealing import SealOf, body_of
from callback_scheduler.journal.segments import (
    ARCHIVE_MARK,
    END_MARK,
    SUFFIX,
    Mark,
    Segment,
    beginning,
    chained,
    frame,
    read_mark,
    sync_folder,
    write_mark,
)

_NEW = ".sealed"
# Written when all new files are whole, with the end of the new journal; taken away when they are in place.
_DONE = "sealing.json"


def seal(old: Sequence[Segment], seal_of: SealOf, keys: Keys) -> None:
    """Write the files `old` (all of a journal, checked, no torn tail) anew, and put the new ones in their place.

    OSError if there is no room: then the old ones are as they were. JournalCorrupt names a record that is no event.
    """
    folder = old[0].path.parent
    archived = read_mark(folder, ARCHIVE_MARK)
    chain = before = archived.chain if archived is not None else beginning(old[0].journal_id)
    try:
        for segment in old:
            chain, before = _write_anew(segment, (chain, before), seal_of, keys)
        write_mark(folder, _DONE, Mark(old[-1].last, chain))
    except BaseException:
        _drop(folder)
        raise
    go_on(folder)


def go_on(folder: Path) -> None:
    """Bring an upgrade to its end that was whole when it was broken off, or take away what it left."""
    end = read_mark(folder, _DONE)
    if end is None:
        _drop(folder)
        return
    for path in _new_files(folder):
        path.rename(path.with_suffix(SUFFIX))
    sync_folder(folder)
    write_mark(folder, END_MARK, end)
    (folder / _DONE).unlink()
    sync_folder(folder)


def _new_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_NEW}"))


def _drop(folder: Path) -> None:
    if (folder / _DONE).exists():
        return  # the new ones are whole: they are needed
    for path in _new_files(folder):
        path.unlink()


def _write_anew(segment: Segment, chains: tuple[str, str], seal_of: SealOf, keys: Keys) -> tuple[str, str]:
    """Write a file anew behind a record of these chains, the new one and the old; return those of its last record."""
    chain, before = chains
    path = segment.path.with_suffix(_NEW)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(segments.first_line(segment.journal_id, segment.first, chain, segments.SEALED))
        for position, body in _records(segment):
            before = chained(before, body)
            try:
                anew = _sealed(json.loads(body), before, seal_of, keys)
            except (ValueError, KeyError, TypeError) as wrong:
                line = position - segment.first + 2
                raise JournalCorrupt(segment.path, line, 0, f"the record is no event: {wrong!r}") from None
            chain = chained(chain, anew)
            file.write(frame(position, anew, chain))
        file.flush()
        os.fsync(file.fileno())
    return chain, before


def _records(segment: Segment) -> Iterator[tuple[int, bytes]]:
    for position, _, body in segments.read(segment.path, segment.first - 1, segment.last):
        yield position, body


def _sealed(fields: dict[str, Any], was: str, seal_of: SealOf, keys: Keys) -> bytes:
    if "sealed" in fields:  # in a file that came behind those of an earlier version
        head = {name: fields[name] for name in ("id", "type", "at")}
        return as_json(head | {"was": was} | fields)
    event = JournalEvent.from_fields(fields)
    return body_of(event, as_json(event.payload), seal_of(event), keys, was)
