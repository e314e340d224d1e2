"""Everything a node needs on another machine, in one .tar.gz whose every file can be checked.

What is in it, in this order: state beside the journal (how far receivers of notices have come), the journal, the
recordings, the configuration, and last a manifest with the SHA-256 of each file: an archive that was cut off has none.
The keys of the journal go with it, or nobody could read the copy: so an archive knows what the node forgets later, and
its manifest says until when it may be kept.
Notices come before the journal, or a receiver could be thought to know of records that the copy does not hold; the
recordings come after it, since a record never tells of a file that is not there yet.

What is not in it: Redis, which is rebuilt from the journal, to the same orders, by the same script, when the node
starts; spoken prompts, which are made again; secrets, which the configuration only names.

The node may run meanwhile. A segment of the journal only grows, so its copy ends at a record that was on disk when the
backup began, and the chain of hashes up to there is checked before anything is copied.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, cast

from callback_scheduler.errors import BackupError, JournalCorrupt
from callback_scheduler.journal import segments
from callback_scheduler.journal.keys import FILE as KEYS
from callback_scheduler.journal.scan import scan_folder
from callback_scheduler.journal.segments import ARCHIVE_MARK, END_MARK, Segment, read_mark
from config.keeping import KeepingSettings
from routing.clock import SHANGHAI

MANIFEST = "manifest.json"
FORMAT = 1
_END_NOTE = f"data/journal/{END_MARK}"
# Rebuilt, made again, or of use only to the process that made it.
_LEFT_OUT = ("redis", "prompts", "journal", "recordings", "control.sock", "lock", "node.lock", "trials")
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written: so many files and bytes, the journal up to `position`, whose chain is `chain`."""

    files: int
    size: int
    position: int
    chain: str
    gone: tuple[str, ...]  # deleted by the node while they were being copied
    keep_until: date  # the node has forgotten by then what it knew when this was made: the archive must go


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be copied: where it lies, its name in the archive, and how many bytes of it (None: all)."""

    path: Path
    name: str
    size: int | None = None


def back_up(
    data_dir: Path,
    config_files: dict[str, Path],
    target: Path,
    made_at: datetime,
    until: int | None = None,
    *,
    keep_days: int = KeepingSettings().keep_days,
) -> Backup:
    """Write the archive `target`; `config_files` are by their name in it, below config/.

    `until` is the last position of the journal that is known to be on disk, None if no node runs: then all of it. The
    archive may be kept for `keep_days`, and says so. Raises BackupError, and leaves no file.
    """
    if target.exists():
        raise BackupError(f"{target} is there already: a backup replaces nothing")
    being_made = target.with_name(f"{target.name}.part")
    try:
        with _create(being_made) as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=6) as packed:
            made = _write(cast(IO[bytes], packed), data_dir, config_files, made_at, until, keep_days=keep_days)
        _sync(being_made)
        being_made.rename(target)
        segments.sync_folder(target.parent.absolute())
    except JournalCorrupt as corrupt:
        _drop(being_made)
        raise BackupError(f"the journal is not whole, so its copy would not be: {corrupt}") from corrupt
    except OSError as failed:
        _drop(being_made)
        where = failed.filename or being_made
        raise BackupError(f"{where}: {failed.strerror or failed}; no backup was made") from failed
    except BaseException:
        _drop(being_made)
        raise
    return made


def _create(path: Path) -> IO[bytes]:
    # numbers and voices of callers: for this user only
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _drop(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _write(
    packed: IO[bytes],
    data_dir: Path,
    config_files: dict[str, Path],
    made_at: datetime,
    until: int | None,
    *,
    keep_days: int,
) -> Backup:
    keep_until = (made_at + timedelta(days=keep_days)).astimezone(SHANGHAI).date()
    files: list[dict[str, Any]] = []
    gone: list[str] = []
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:

        def copy(sources: Iterator[Source] | list[Source]) -> None:
            for source in sources:
                try:
                    files.append(_add(archive, source))
                except FileNotFoundError:
                    if source.name.startswith("data/journal/"):
                        raise  # archived meanwhile: the copy would have a gap
                    gone.append(source.name)

        copy(_beside_journal(data_dir))
        journal = data_dir / "journal"
        archived = read_mark(journal, ARCHIVE_MARK)
        copied = list(_journal(journal, until))
        position, chain = _end(copied, until)
        if archived is not None:
            files.append(_add_bytes(archive, f"data/journal/{ARCHIVE_MARK}", _json(asdict(archived))))
        copy([source for source, _ in copied])
        if (journal / KEYS).is_file():  # behind the records: the key of each was on disk before it
            copy([Source(journal / KEYS, f"data/journal/{KEYS}")])
        files.append(_add_bytes(archive, _END_NOTE, _json({"position": position, "chain": chain})))
        copy(_below(data_dir / "recordings", "data/recordings"))
        copy([Source(path, f"config/{name}") for name, path in config_files.items()])
        journal_id = copied[0][1].journal_id if copied else ""
        _add_bytes(archive, MANIFEST, _json({
            "format": FORMAT, "made_at": made_at.isoformat(), "keep_until": keep_until.isoformat(),
            "made_of": str(data_dir.absolute()), "files": files,
            "journal": {"journal_id": journal_id, "position": position, "chain": chain},
        }))  # fmt: skip
    return Backup(len(files), sum(file["size"] for file in files), position, chain, tuple(gone), keep_until)


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, indent=1).encode() + b"\n"


# -- what is copied ---------------------------------------------------------------------------------------------------


def _beside_journal(data_dir: Path) -> Iterator[Source]:
    for path in sorted(data_dir.iterdir()):
        if path.name not in _LEFT_OUT:
            yield from _below(path, f"data/{path.name}")


def _below(path: Path, name: str) -> Iterator[Source]:
    """Yield the regular files at or below `path`; sockets, links and files half made are no state."""
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.iterdir()):
            yield from _below(inner, f"{name}/{inner.name}")
    elif path.is_file() and not path.is_symlink() and not path.name.endswith((".new", ".part")):
        yield Source(path, name)


def _journal(folder: Path, until: int | None) -> Iterator[tuple[Source, Segment]]:
    """Yield the segments up to `until`, each checked and with the bytes of its good records; JournalCorrupt."""
    for segment in scan_folder(folder):
        if until is not None and segment.first > max(until, 1):
            return
        size = segment.good_bytes
        if until is not None and segment.last > until:
            size = _bytes_until(segment.path, until)
        yield Source(segment.path, f"data/journal/{segment.path.name}", size), segment


def _bytes_until(path: Path, until: int) -> int:
    """Return how many bytes of a segment hold its records up to `until`; the header is always among them."""
    with path.open("rb") as file:
        size = len(file.readline())
        for line in file:
            position, _, _ = segments.unframe(line)
            if position > until:
                break
            size += len(line)
    return size


def _end(copied: list[tuple[Source, Segment]], until: int | None) -> tuple[int, str]:
    """Return position and chain of the last record in the copy, archived ones included; 0 and "" if there is none."""
    for source, segment in reversed(copied):
        last = segment.last if until is None else min(segment.last, until)
        if last >= segment.first:
            if last == segment.last:
                return last, segment.chain
            _, chain, _ = next(segments.read(source.path, last - 1, last))
            return last, chain
    if copied and copied[0][1].first > 1:  # all before it was archived
        return copied[0][1].first - 1, copied[0][1].chain
    return 0, ""


# -- into the archive -------------------------------------------------------------------------------------------------


class _Hashing:
    """Reads exactly `size` bytes of a file that may grow meanwhile, and hashes them."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self.hash = sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(min(self._left, size) if size >= 0 else self._left)
        self._left -= len(chunk)
        self.hash.update(chunk)
        return chunk


def _add(archive: tarfile.TarFile, source: Source) -> dict[str, Any]:
    """Copy a file; return its line of the manifest. OSError names a file that cannot be read, or was cut meanwhile."""
    with source.path.open("rb") as file:
        found = os.fstat(file.fileno())
        size = found.st_size if source.size is None else source.size
        member = _member(source.name, size, found.st_mtime)
        hashing = _Hashing(file, size)
        try:
            archive.addfile(member, cast(IO[bytes], hashing))  # of which it asks read alone
        except OSError as failed:
            if "unexpected end of data" in str(failed):
                raise OSError(None, "was cut off while it was copied", str(source.path)) from failed
            raise
    return {"path": source.name, "size": size, "sha256": hashing.hash.hexdigest()}


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> dict[str, Any]:
    archive.addfile(_member(name, len(content), 0), io.BytesIO(content))
    return {"path": name, "size": len(content), "sha256": sha256(content).hexdigest()}


def _member(name: str, size: int, changed_at: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, int(changed_at), 0o600
    return member
