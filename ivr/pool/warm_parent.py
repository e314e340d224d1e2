"""The node's end of the warm parent: the one process that has pjsua2 imported and forks lines from it."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import structlog
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ivr.line.messages import LineConfig

log = structlog.get_logger()
_ROOT = Path(__file__).resolve().parents[2]


class Nursery(Protocol):
    """What the warm parent tells about its lines."""

    def line_forked(self, number: int, pid: int) -> None:
        """A line has been born."""

    def line_exited(self, number: int, status: int) -> None:
        """A line has ended and is reaped; `status` is negative for a signal."""

    def parent_ended(self, reason: str) -> None:
        """The warm parent has ended, and all its lines with it."""


class WarmParent(ProcessProtocol):
    """Forks and kills lines by number."""

    transport: Any  # Twisted's zope interfaces are nothing mypy can read

    def __init__(self, nursery: Nursery) -> None:
        self._nursery = nursery
        self._unread = b""

    @classmethod
    def spawn(cls, reactor: Any, nursery: Nursery, most_lines: int) -> WarmParent:
        """Start the process; it ends with ours, and its lines with it."""
        parent = cls(nursery)
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        reactor.spawnProcess(
            parent,
            sys.executable,
            [sys.executable, "-m", "ivr.line", "--parent", str(os.getpid()), "--most-lines", str(most_lines)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            childFDs={0: "w", 1: "r", 2: 2},
        )
        return parent

    def fork(self, config: LineConfig) -> None:
        """Ask for one line."""
        self._write(dataclasses.asdict(config))

    def kill(self, number: int) -> None:
        """End a line by SIGKILL; the parent does it, which knows whether the process id is still that of the line."""
        self._write({"kill": number})

    def finish(self) -> None:
        """Let it end: it does so when its stdin is closed."""
        self.transport.closeStdin()

    def kill_itself(self) -> None:
        """End it at once, and its lines with it."""
        try:
            self.transport.signalProcess(signal.SIGKILL.name.removeprefix("SIG"))
        except ProcessExitedAlready:
            return

    def _write(self, fields: dict[str, Any]) -> None:
        self.transport.write(json.dumps(fields).encode() + b"\n")

    def outReceived(self, data: bytes) -> None:
        """Take what it says, one JSON object per line of text."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "forked" in said:
                self._nursery.line_forked(said["forked"], said["pid"])
            elif "exited" in said:
                self._nursery.line_exited(said["exited"], said["status"])
            else:
                log.error("line_not_forked", **said)
                if "refused" in said:
                    self._nursery.line_exited(said["refused"], 0)

    def processEnded(self, reason: Failure) -> None:
        """It has ended, and its pipes are read to the end."""
        self._nursery.parent_ended(str(reason.value))


Spawn = Callable[[Any, Nursery, int], WarmParent]
