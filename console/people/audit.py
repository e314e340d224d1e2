"""The audit log: every act and every unmasked number, hash-chained in a journal of its own.

The code of the journal of orders (`callback_scheduler.journal`) writes it, so it has the same files, the same chain and
the same check: `hotline verify` reads both. Who did what, when and from where stays for ever. Phone numbers are masked
in what is written; what an act is about, and why, is sealed with the order it names, or with its day, and forgotten
when that is.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from callback_scheduler.journal.journal import Journal, JournalEvent
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.journal.sealing import Seal
from callback_scheduler.ledger.personal import day_of, key_of
from callback_scheduler.ledger.verification import VerifyResult, verify
from console.people.threads import InThread
from routing.clock import Clock, in_shanghai
from routing.masking import masked_text

_EVENT = "console_act"
_SEGMENT_BYTES = 4 * 1024 * 1024
_STAYS = ("who", "role", "address", "what")
_FORGOTTEN = "已遗忘 forgotten"
# an order's number, or a call's
_NAMED = re.compile(r"(?<![0-9A-Za-z])(?:2\d{5}[1-9]\d{4,}(?:-\d+)?|\d{8}T\d{6}-\w+)(?![0-9A-Za-z])")


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


def _seal_of(event: JournalEvent) -> Seal | None:
    """Return under which key an act is sealed; None if it names no order or call, and nobody wrote a word to it."""
    told = event.payload
    named = _NAMED.search(f"{told['about']} {told['why']} {told['result']}")
    if named is not None:
        return Seal(key_of(named[0], event.at), _STAYS)
    about = str(told["about"])
    return Seal(KeyName(day_of(event.at)), _STAYS) if told["why"] or masked_text(about) != about else None


class Audit:
    """The audit log of one node; `in_thread` runs what blocks."""

    def __init__(self, data_dir: Path, reactor: Any, clock: Clock, in_thread: InThread) -> None:
        folder = audit_folder(data_dir)
        self._journal = Journal(folder, reactor, segment_bytes=_SEGMENT_BYTES, seal_of=_seal_of)
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
        """Put an act on disk, phone numbers masked; JournalWriteFailed if it is not there."""
        payload = {
            "who": who, "role": role, "address": address, "what": what, "about": masked_text(about),
            "why": masked_text(why), "result": masked_text(result),
        }  # fmt: skip
        await self._journal.append(JournalEvent.new(_EVENT, payload, self._clock.now()))

    async def last(self, limit: int = 200, who: str = "", what: str = "") -> list[Act]:
        """Return the last acts, newest first: those whose `who` or `what` hold these words."""
        return await self._in_thread(lambda: self._last(limit, who, what))

    async def verified(self) -> VerifyResult:
        """Read the whole log and return whether it is what was written."""
        folder = self._journal.folder
        return await self._in_thread(lambda: verify(folder))

    async def forget(self, before: datetime, kept: frozenset[KeyName]) -> None:
        """Forget what acts of days before `before` were about, but for what is told of the orders `kept`; OSError."""
        await self._in_thread(lambda: self._journal.forget(day_of(before), kept))

    def _last(self, limit: int, who: str, what: str) -> list[Act]:
        acts: deque[Act] = deque(maxlen=limit)
        for _, event in self._journal.replay(event_types=(_EVENT,)):
            if who in event.payload["who"] and what in event.payload["what"]:
                gone = dict.fromkeys(("about", "why", "result"), _FORGOTTEN) if event.is_forgotten else {}
                acts.append(Act(in_shanghai(event.at), **event.payload, **gone))
        return list(reversed(acts))
