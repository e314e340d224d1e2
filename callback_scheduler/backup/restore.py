"""Puts a backup back onto an empty machine, or refuses it whole and says which file is not what was written."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from gzip import BadGzipFile
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO, Any

from callback_scheduler.backup.archive import FORMAT, MANIFEST
from callback_scheduler.errors import BackupError, RestoreCutOff
from callback_scheduler.journal import segments
from callback_scheduler.journal.scan import segment_files
from callback_scheduler.ledger.verification import ChainHead, verify
from callback_scheduler.orders.number_fence import fence_of, read_fence, write_fence
from routing.clock import SystemClock

CONFIG_FOLDER = "restored-config"
_BESIDE = ".restore-"  # where it is put together, inside data_dir
_CHUNK = 1024 * 1024
_BIGGEST_MANIFEST = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: so many files, and the journal up to `position`; when (ISO 8601) and of which data_dir.

    `keep_until` is the day until which the archive may be kept; "" if an earlier version made it, and did not say.
    """

    files: int
    position: int
    chain: str
    made_at: str
    made_of: str
    keep_until: str = ""


def restore(archive: Path, data_dir: Path, restored_at: datetime | None = None) -> Restored:
    """Put the backup in `archive` into `data_dir`, which must not be there or be empty; verify it before it is there.

    The configuration comes into `data_dir`/restored-config, to be looked at and put in place by hand: another machine
    has other addresses. Raises BackupError; then `data_dir` is as it was.
    """
    was_there = _refuse_if_used(data_dir)
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        # inside, since data_dir may be the root of a disk of its own
        with tempfile.TemporaryDirectory(prefix=_BESIDE, dir=data_dir) as beside:
            made = _unpack(archive, Path(beside))
            _check_journal(Path(beside) / "data" / "journal", made["journal"])
            _note_restoring(Path(beside) / "data" / "journal", made["journal"])
            _fence(Path(beside) / "data", restored_at or SystemClock().now())
            _put_in_place(Path(beside), data_dir)
    except OSError as failed:
        _take_away(data_dir, was_there)
        where = failed.filename or archive
        raise BackupError(f"{where}: {failed.strerror or failed}; nothing was restored") from failed
    except BackupError:
        _take_away(data_dir, was_there)
        raise
    journal = made["journal"]
    keep_until = str(made.get("keep_until", ""))
    return Restored(
        len(made["files"]), journal["position"], journal["chain"], made["made_at"], made["made_of"], keep_until
    )


def _refuse_if_used(data_dir: Path) -> bool:
    """Return whether the folder is there; BackupError if anything is in it."""
    if not data_dir.exists():
        return False
    if not data_dir.is_dir():
        raise BackupError(f"{data_dir} is no folder")
    refuse_if_cut_off(data_dir)
    found = next(data_dir.iterdir(), None)
    if found is not None:
        raise BackupError(f"{data_dir} is not empty: it holds {found.name}; a backup is restored onto nothing else")
    return True


def refuse_if_cut_off(data_dir: Path) -> None:
    """Raise RestoreCutOff if a restore into `data_dir` was killed half way; sweep what one killed at its end left."""
    for beside in data_dir.glob(_BESIDE + "*"):
        if not (data_dir / "journal").is_dir():
            raise RestoreCutOff(f"{data_dir} is half restored: {beside.name} is what a restore left that was cut off")
        shutil.rmtree(beside, ignore_errors=True)


def _take_away(data_dir: Path, was_there: bool) -> None:
    if not was_there:
        with suppress(OSError):  # it is not empty: what came in between is not ours
            data_dir.rmdir()


def _unpack(archive: Path, beside: Path) -> dict[str, Any]:
    """Write every file of the archive below `beside` and return its manifest; BackupError if one is not as it says."""
    found: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(archive, mode="r|gz") as packed:
            for name, content in _members(packed, archive):
                if manifest is not None:
                    raise BackupError(f"{archive}: {name} comes after the manifest: something was added")
                if name == MANIFEST:
                    manifest = _manifest(archive, content)
                elif name in found:
                    raise BackupError(f"{archive}: {name} is there twice")
                else:
                    found[name] = _save(content, beside / name)
    except (tarfile.TarError, EOFError, zlib.error, BadGzipFile) as wrong:
        raise BackupError(f"{archive} is damaged or cut off: {wrong}") from wrong
    if manifest is None:
        raise BackupError(f"{archive} ends without a manifest: it was cut off, or is no backup")
    _compare(archive, manifest, found)
    return manifest


def _members(packed: tarfile.TarFile, archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and content of each file; BackupError for anything that could be written elsewhere."""
    for member in packed:
        path = PurePosixPath(member.name)
        is_inside = not path.is_absolute() and ".." not in path.parts and path.parts[:1] in {("data",), ("config",)}
        if not member.isreg() or not (is_inside or member.name == MANIFEST):
            raise BackupError(f"{archive}: {member.name} does not belong into a backup")
        content = packed.extractfile(member)
        assert content is not None  # only what is no regular file has none
        yield member.name, content


def _manifest(archive: Path, content: IO[bytes]) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(content.read(_BIGGEST_MANIFEST))
        if manifest["format"] != FORMAT:
            raise BackupError(f"{archive}: its format is {manifest['format']}, this version knows {FORMAT}")
        manifest["made_at"], manifest["made_of"], manifest["journal"]["position"], manifest["journal"]["chain"]
        [(file["path"], file["sha256"]) for file in manifest["files"]]
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise BackupError(f"{archive}: its manifest cannot be read: {wrong!r}") from wrong
    return manifest


def _save(content: IO[bytes], path: Path) -> str:
    """Write a file and return its SHA-256; OSError names the file."""
    try:
        return _copy(content, path)
    except BadGzipFile:
        raise
    except OSError as failed:  # a write does not say by itself what it was about
        raise OSError(failed.errno, failed.strerror, str(path)) from failed


def _copy(content: IO[bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    hashed = sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        while chunk := content.read(_CHUNK):
            hashed.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return hashed.hexdigest()


def _compare(archive: Path, manifest: dict[str, Any], found: dict[str, str]) -> None:
    told = {file["path"]: file["sha256"] for file in manifest["files"]}
    for name, digest in told.items():
        if name not in found:
            raise BackupError(f"{archive}: {name} is missing")
        if found[name] != digest:
            raise BackupError(f"{archive}: {name} is not what was backed up: its SHA-256 is {found[name]}")
    added = sorted(found.keys() - told.keys())
    if added:
        raise BackupError(f"{archive}: {added[0]} is not in the manifest: something was added")


def _check_journal(folder: Path, told: dict[str, Any]) -> None:
    """Check the chain of the restored journal up to the record the manifest names; BackupError names the first bad."""
    head = ChainHead(told["position"], told["chain"], "the manifest")
    result = verify(folder, [head] if told["position"] else [])
    if result.broken is not None:
        raise BackupError(f"the journal in the backup is not whole: {result.broken}")
    end = result.archived + result.records
    if end != told["position"]:
        raise BackupError(f"the journal in the backup ends at record {end}, its manifest says {told['position']}")


def _note_restoring(folder: Path, told: dict[str, Any]) -> None:
    """Note beside the journal that it is older than it looks: its node forgets at once what is past."""
    segments.write_mark(folder, segments.RESTORED_MARK, segments.Mark(told["position"], told["chain"]))


def _fence(data: Path, restored_at: datetime) -> None:
    """Let the node count on behind every number that may have been given after the backup, and by earlier restores."""
    last = ""
    for path in segment_files(data / "journal"):
        for _, _, body in segments.read(path, 0, sys.maxsize):
            if b'"type":"order_opened"' in body:
                last = max(last, str(json.loads(body)["payload"].get("order_id", "")))
    write_fence(data, fence_of(restored_at, last, read_fence(data)))


def _put_in_place(beside: Path, data_dir: Path) -> None:
    """Move everything up; the journal last, since without it nothing else would be taken for a node's."""
    data = beside / "data"
    if (beside / "config").is_dir():
        (beside / "config").rename(data / CONFIG_FOLDER)
    for folder, _, _ in os.walk(data):
        segments.sync_folder(Path(folder))
    for path in sorted(data.iterdir(), key=lambda path: path.name == "journal"):
        path.rename(data_dir / path.name)
    segments.sync_folder(data_dir)
