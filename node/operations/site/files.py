"""The files of a site that were changed at run time, and what they were before: each change can be taken back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

_BEFORE = "before"
_WAS_NOT_THERE = ".none"
_SLASH = "__"
_TRIALS = "trials"


class NothingToUndo(Exception):
    """No change of this kind is left to take back."""


class SiteFiles:
    """Files below `folder` by name ("calendar/2027.csv"), written whole or not at all.

    What a file was before lies in `before/<number>-<name>`; numbers go up over all files. Taking the last change of a
    file back uses its number up, so that the next one takes back the change before.

    Changes are tried out beside `folder`, in the data folder of the node: a directory of names and numbers does not lie
    where others look, and what a killed node leaves there is found by the next one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._trials = folder.with_name(_TRIALS)

    @contextmanager
    def trial(self) -> Iterator[Path]:
        """Give an empty folder in which a change is tried out; it is gone afterwards."""
        self._trials.mkdir(parents=True, exist_ok=True, mode=0o700)
        with TemporaryDirectory(dir=self._trials) as folder:
            yield Path(folder)

    def sweep_trials(self) -> None:
        """Take away what a node left that was killed during a trial; only while no trial is under way."""
        shutil.rmtree(self._trials, ignore_errors=True)

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None if it is not there."""
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def put(self, name: str, content: bytes | None) -> None:
        """Keep what a file was, then let it be `content`; None takes it away. OSError: all is as it was."""
        before = self.read(name)
        number = max((int(path.name.partition("-")[0]) for path in self._kept()), default=0) + 1
        kept = self.folder / _BEFORE / f"{number:06}-{name.replace('/', _SLASH)}"
        kept = kept.with_name(kept.name + _WAS_NOT_THERE) if before is None else kept
        try:
            _write(kept, before or b"")
            self._let_be(name, content)
        except OSError:
            kept.unlink(missing_ok=True)  # or it would be taken back, though nothing was changed
            raise

    def last(self, prefix: str) -> tuple[str, bytes | None]:
        """Return name, and content before, of the file changed last whose name begins with `prefix`.

        Raises NothingToUndo.
        """
        path = self._last(prefix)
        name = path.name.partition("-")[2].removesuffix(_WAS_NOT_THERE).replace(_SLASH, "/")
        return name, None if path.name.endswith(_WAS_NOT_THERE) else path.read_bytes()

    def undo(self, prefix: str) -> str:
        """Take the last change of a file whose name begins with `prefix` back; return its name. NothingToUndo."""
        path = self._last(prefix)
        name, content = self.last(prefix)
        self._let_be(name, content)
        path.unlink()
        return name

    def _last(self, prefix: str) -> Path:
        begins = prefix.replace("/", _SLASH)
        found = [path for path in self._kept() if path.name.partition("-")[2].startswith(begins)]
        if not found:
            raise NothingToUndo(prefix)
        return found[-1]

    def _kept(self) -> list[Path]:
        return sorted(path for path in (self.folder / _BEFORE).glob("*-*") if path.name.partition("-")[0].isdigit())

    def _let_be(self, name: str, content: bytes | None) -> None:
        path = self.folder / name
        if content is not None:
            _write(path, content)
        else:
            path.unlink(missing_ok=True)


def version_of(content: bytes | None) -> str:
    """Return eight characters that name a content; "" for a file that is not there."""
    return "" if content is None else sha256(content).hexdigest()[:8]


def _private(path: str, flags: int) -> int:
    """Open a file that only this user may read: names and numbers stand in it."""
    return os.open(path, flags, 0o600)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.new")
    try:
        with open(beside, "wb", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
