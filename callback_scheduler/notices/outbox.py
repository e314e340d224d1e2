"""What one receiver has been told so far, on disk: a cursor over the journal, beside it the dead letters.

The journal is the outbox: every order event lies there before anybody hears of it, so nothing has to be copied to be
sent later. All that is kept here is how far a receiver has come. The cursor is written after a delivery, never before:
a crash in between sends the notice again, under the same idempotency key.

Two files in a folder of the receiver. `cursor.json`: all up to `position` is settled, so are the positions `ahead` of
it; replaced in one step. `dead.jsonl`: appended to, one line for each letter that died or was settled after all.
All methods block for the disk: call them in a thread.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from callback_scheduler.journal.segments import sync_folder
from callback_scheduler.ledger.feed import Letter
from routing.masking import masked_text

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A notice its receiver will not take: why, and when it was given up (ISO 8601, UTC)."""

    event_id: str
    position: int
    event_type: str
    order_id: str
    reason: str
    died_at: str

    @classmethod
    def of(cls, letter: Letter, reason: str, died_at: str) -> DeadLetter:
        """Return the dead letter of an event and its position."""
        position, event = letter
        order_id = str(event.payload.get("order_id", ""))
        # a receiver that refuses may say again what it was told
        return cls(event.event_id, position, event.event_type, order_id, masked_text(reason), died_at)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Every event up to `position` is settled, and those in `ahead` behind it."""

    position: int
    ahead: frozenset[int] = frozenset()


class Outbox:
    """Cursor and dead letters of one receiver, in `folder`; `dead` is by event id, oldest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cursor_file = folder / "cursor.json"
        self._dead_file = folder / "dead.jsonl"
        self.dead: dict[str, DeadLetter] = {}

    def open(self, journal_id: str, end: int, new_receiver_starts_at: int) -> Cursor:
        """Return where to go on in the journal `journal_id`, whose last record is at `end`.

        A receiver met for the first time begins behind `new_receiver_starts_at`; that is on disk on return, so that
        what happens from now on is owed to it, whatever becomes of this process.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(self._folder.parent)
        self.dead = self._read_dead()
        cursor = self._found(journal_id, end)
        if cursor is None:
            cursor = Cursor(new_receiver_starts_at)
            self.save(journal_id, cursor)
        return cursor

    def _found(self, journal_id: str, end: int) -> Cursor | None:
        try:
            fields = json.loads(self._cursor_file.read_bytes())
            cursor = Cursor(int(fields["position"]), frozenset(map(int, fields["ahead"])))
            known_id = str(fields["journal"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as wrong:
            # Telling all of it again under the same keys is a nuisance; telling nothing would be a loss.
            log.error("notice_cursor_unreadable", file=str(self._cursor_file), error=str(wrong))
            return Cursor(0)
        if known_id != journal_id:
            log.warning("notice_cursor_of_another_journal", file=str(self._cursor_file), journal_id=known_id)
            return Cursor(0)
        if cursor.position > end:
            log.error("notice_cursor_ahead_of_journal", file=str(self._cursor_file), position=cursor.position, end=end)
            return Cursor(end)
        return Cursor(cursor.position, frozenset(n for n in cursor.ahead if n <= end))

    def save(self, journal_id: str, cursor: Cursor) -> None:
        """Put the cursor on disk; OSError if that failed, and then the one before still stands."""
        fields = {"journal": journal_id, "position": cursor.position, "ahead": sorted(cursor.ahead)}
        _replace(self._cursor_file, json.dumps(fields).encode())

    # -- dead letters -------------------------------------------------------------------------------------------------

    def bury(self, letters: list[DeadLetter]) -> None:
        """Put dead letters on disk; OSError if that failed."""
        self._append([asdict(letter) for letter in letters])
        self.dead |= {letter.event_id: letter for letter in letters}

    def settle(self, event_id: str) -> None:
        """Take a dead letter off the list, since it was delivered after all; OSError if that is not on disk."""
        self._append([{"settled": event_id}])
        self.dead.pop(event_id, None)

    def forget(self, before: datetime) -> int:
        """Drop the letters that died before `before`, and return how many; OSError if that is not on disk."""
        old = [name for name, letter in self.dead.items() if datetime.fromisoformat(letter.died_at) < before]
        if old:
            self._rewrite([letter for name, letter in self.dead.items() if name not in old])
        for name in old:
            self.dead.pop(name, None)
        return len(old)

    def _rewrite(self, letters: Iterable[DeadLetter]) -> None:
        lines = (json.dumps(asdict(letter), ensure_ascii=False).encode(errors="replace") for letter in letters)
        _replace(self._dead_file, b"".join(line + b"\n" for line in lines))

    def _append(self, lines: list[dict[str, Any]]) -> None:
        text = b"".join(json.dumps(line, ensure_ascii=False).encode(errors="replace") + b"\n" for line in lines)
        is_new = not self._dead_file.exists()
        descriptor = os.open(self._dead_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            # A line that a full disk cut short must not swallow the next one: an empty line is nothing.
            rest = b"\n" + text
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self._folder)

    def _read_dead(self) -> dict[str, DeadLetter]:
        """Return the letters that are still dead, and write the file anew without the others."""
        try:
            lines = self._dead_file.read_bytes().splitlines()
        except FileNotFoundError:
            return {}
        dead: dict[str, DeadLetter] = {}
        for line in lines:
            try:
                fields = json.loads(line)
                if "settled" in fields:
                    dead.pop(fields["settled"], None)
                else:
                    dead[fields["event_id"]] = DeadLetter(**fields)
            except (ValueError, KeyError, TypeError):
                continue  # cut short by a crash: the cursor did not pass it, so it will die again
        if len(dead) < len([line for line in lines if line]):
            self._rewrite(dead.values())
        return dead


def _replace(file: Path, content: bytes) -> None:
    """Give `file` a new content in one step, on disk on return."""
    being_made = file.with_suffix(".new")
    descriptor = os.open(being_made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    being_made.rename(file)
    sync_folder(file.parent)
