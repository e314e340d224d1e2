"""Holds a data_dir for the one node that works in it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from callback_scheduler.errors import DataDirInUse


class DataDirHold:
    """The hold on one data_dir; the kernel lets go of it however the process ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1

    async def take(self) -> None:
        """Hold the folder; DataDirInUse if another process does, and then nothing in it was touched."""
        # never inherited: a child that outlives a killed node must not keep the next one from starting
        descriptor = os.open(self._folder / "node.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 20).decode(errors="replace").strip()
            os.close(descriptor)
            raise DataDirInUse(f"{self._folder} is in use by the node with process id {owner or '?'}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._descriptor = descriptor

    async def let_go(self) -> None:
        """Give the folder free."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
