"""The audit log: every act and every unmasked number, hash-chained in a journal of its own.

The code of the journal of orders (`callback_scheduler.journal`) writes it, so it has the same files, the same chain and
the same check: `hotline verify` reads both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from callback_scheduler.journal.journal import Journal, JournalEvent
from callback_scheduler.ledger.verification import VerifyResult, verify
from console.people.threads import InThread
from routing.clock import Clock, in_shanghai

_EVENT = "console_act"
_SEGMENT_BYTES = 4 * 1024 * 1024


def audit_folder(data_dir: Path) -> Path:
    """Return where the audit log of a node lies."""
    return data_dir / "console" / "audit"


@dataclass(frozen=True, slots=True)
class Act:
    """Who did what, about what, why, and what came of it; `at` is in Asia/Shanghai."""

    at: datetime
    who: str
    role: str
    address: str
    what: str
    about: str
    why: str
    result: str


class Audit:
    """The audit log of one node; `in_thread` runs what blocks."""

    def __init__(self, data_dir: Path, reactor: Any, clock: Clock, in_thread: InThread) -> None:
        self._journal = Journal(audit_folder(data_dir), reactor, segment_bytes=_SEGMENT_BYTES)
        self._clock, self._in_thread = clock, in_thread

    async def open(self) -> None:
        """Check the whole log and begin to write; JournalCorrupt if it is not what was written."""
        await self._in_thread(self._open)

    def _open(self) -> None:
        self._journal.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._journal.open()

    async def close(self) -> None:
        """Write what waits, and let go of the files."""
        await self._in_thread(self._journal.close)

    async def write(
        self, who: str, role: str, address: str, what: str, *, about: str = "", why: str = "", result: str = ""
    ) -> None:
        """Put an act on disk; JournalWriteFailed if it is not there."""
        payload = {
            "who": who, "role": role, "address": address, "what": what, "about": about, "why": why, "result": result,
        }  # fmt: skip
        await self._journal.append(JournalEvent.new(_EVENT, payload, self._clock.now()))

    async def last(self, limit: int = 200, who: str = "", what: str = "") -> list[Act]:
        """Return the last acts, newest first: those whose `who` or `what` hold these words."""
        return await self._in_thread(lambda: self._last(limit, who, what))

    async def verified(self) -> VerifyResult:
        """Read the whole log and return whether it is what was written."""
        folder = self._journal.folder
        return await self._in_thread(lambda: verify(folder))

    def _last(self, limit: int, who: str, what: str) -> list[Act]:
        acts: deque[Act] = deque(maxlen=limit)
        for _, event in self._journal.replay(event_types=(_EVENT,)):
            if who in event.payload["who"] and what in event.payload["what"]:
                acts.append(Act(in_shanghai(event.at), **event.payload))
        return list(reversed(acts))
