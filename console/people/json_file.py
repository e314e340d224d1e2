"""A small JSON file of this user only, replaced as a whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import structlog

from console.errors import NotStored
from console.people.threads import InThread

log = structlog.get_logger()


def read(path: Path) -> Any:
    """Return what a file holds, None if it is not there; ValueError if it is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None


def write(path: Path, content: Any) -> None:
    """Put `content` on disk in place of what was there; blocks, and raises OSError with the old file as it was."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(content, ensure_ascii=False, indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def put(path: Path, content: Any, in_thread: InThread) -> None:
    """Put `content` on disk in a thread; NotStored, and a word to the operator, if it did not get there."""
    try:
        await in_thread(lambda: write(path, content))
    except OSError as wrong:
        log.error("console_file_not_written", file=str(path), error=str(wrong))
        raise NotStored from wrong
