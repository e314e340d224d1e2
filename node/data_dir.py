"""Holds a data_dir for the one node that works in it, and keeps it from all other users."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

import structlog

from callback_scheduler.backup.restore import refuse_if_cut_off
from callback_scheduler.errors import DataDirInUse

log = structlog.get_logger()

# What a process of ours makes is for this user only: voices and numbers of callers.
PRIVATE_UMASK = 0o077
_OTHERS = 0o077


def make_private(folder: Path) -> int:
    """Take every right of other users at `folder` and below away; return how many files and folders had some.

    What an earlier version, a restore by hand or an editor left there is meant. Links are not followed.
    """
    changed = int(_close_to_others(folder))
    for inner, folders, files in os.walk(folder):
        changed += sum(_close_to_others(Path(inner) / name) for name in (*folders, *files))
    return changed


def _close_to_others(path: Path) -> bool:
    with suppress(OSError):  # it went meanwhile, or is another user's, who has opened it to others
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
            return True
    return False


class DataDirHold:
    """The hold on one data_dir; the kernel lets go of it however the process ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1

    async def take(self) -> None:
        """Hold the folder; DataDirInUse if another process does, and then nothing in it was touched.

        RestoreCutOff if it is half restored: who began a journal there would hide that the orders are missing.
        """
        refuse_if_cut_off(self._folder)
        # never inherited: a child that outlives a killed node must not keep the next one from starting
        descriptor = os.open(self._folder / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 20).decode(errors="replace").strip()
            os.close(descriptor)
            raise DataDirInUse(f"{self._folder} is in use by the node with process id {owner or '?'}") from None
        if changed := make_private(self._folder):
            log.warning("data_dir_was_open_to_others", folder=str(self._folder), changed=changed)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._descriptor = descriptor

    async def let_go(self) -> None:
        """Give the folder free."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
