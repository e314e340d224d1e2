"""The keys that seal what a journal says of people: thrown away, they take it with them, and the chain stays whole.

Each day has a random secret, and what is told of a subject of that day (an order, a call) is sealed under a key made
of the secret and the subject's name: so a new order costs no write of its own, only the first one of a day does. When
a day has become old its secret is thrown away. What must be known for longer, an order that is still owed, gets its
own key written down before that, and so pins nothing but itself.

The file is text, one entry a line, each with its checksum. It is appended to, on disk before a key is used, and
written anew when keys are thrown away: what was there before is overwritten, so that the bytes are gone too. From
`forgotten_before` on, a key that is missing was not thrown away, but lost: that is damage, and said to be.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from callback_scheduler.errors import JournalCorrupt
from callback_scheduler.journal.segments import sync_folder

FILE = "keys"
_FORMAT = 1
_BYTES = 32
_ADDITION = "~"


class KeyMissing(ValueError):
    """A key is not there and was not thrown away either."""


@dataclass(frozen=True, slots=True)
class KeyName:
    """What a record is sealed under: a day (YYYYMMDD), and the subject of that day; "" for no one in particular."""

    day: str
    subject: str = ""

    @classmethod
    def read(cls, text: str) -> KeyName:
        """Return the name in its written form."""
        day, _, subject = text.partition("/")
        return cls(day, subject)

    def __str__(self) -> str:
        """Return the written form."""
        return f"{self.day}/{self.subject}"

    def with_addition(self) -> KeyName:
        """Return a name that was never there, for the same subject."""
        return KeyName(self.day, f"{self.subject}{_ADDITION}{os.urandom(4).hex()}")

    def without_addition(self) -> KeyName:
        """Return the name that this one was made of."""
        return KeyName(self.day, self.subject.partition(_ADDITION)[0])


class Keys:
    """The keys of one journal, in a file of its folder; may be asked in any thread. Methods that write block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.forgotten_before = ""  # a day; what is sealed under an earlier one and has no key of its own is forgotten
        self._secrets: dict[str, bytes] = {}
        self._own: dict[KeyName, bytes] = {}
        self._lock = threading.Lock()

    # -- reading --------------------------------------------------------------------------------------------------

    def open(self, must_be_there: bool) -> None:
        """Read the file, or begin it; JournalCorrupt if it is damaged, or is not there and must be."""
        self.path.with_name(f"{self.path.name}.new").unlink(missing_ok=True)
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            if must_be_there:
                what = "the file of the keys is gone, and without it nobody can read what this journal says of people"
                raise JournalCorrupt(self.path, 1, 0, what) from None
            self._replace()
            return
        good_bytes = 0
        for number, line in enumerate(lines, start=1):
            entry = _read(line)
            if entry is None:
                if number == len(lines) > 1 and not line.endswith(b"\n"):
                    os.truncate(self.path, good_bytes)  # cut off by a crash, so it was never used
                    break
                raise JournalCorrupt(self.path, number, good_bytes, "an entry of the keys is not what was written")
            self._take(entry, number)
            good_bytes += len(line)

    def read(self) -> None:
        """Read the file without touching it, for one who only looks; without a file there are no keys."""
        for number, line in enumerate(_lines(self.path), start=1):
            entry = _read(line)
            if entry is not None:
                self._take(entry, number)

    def _take(self, entry: dict[str, Any], number: int) -> None:
        if "format" in entry:
            if entry["format"] != _FORMAT:
                raise JournalCorrupt(self.path, number, 0, f"keys of format {entry['format']}: this version knows 1")
            self.forgotten_before = entry["forgotten_before"]
        elif entry["of"] is None:
            self._secrets[entry["day"]] = bytes.fromhex(entry["key"])
        else:
            self._own[KeyName(entry["day"], entry["of"])] = bytes.fromhex(entry["key"])

    def key(self, name: KeyName) -> bytes | None:
        """Return a key, None if it was thrown away; KeyMissing if it was not, and is not there."""
        with self._lock:
            found = self._known(name)
        if found is None and name.day >= self.forgotten_before:
            raise KeyMissing(f"the key {name} is not in {self.path}, and was never thrown away")
        return found

    def _known(self, name: KeyName) -> bytes | None:
        own = self._own.get(name)
        if own is not None:
            return own
        secret = self._secrets.get(name.day)
        return None if secret is None else _derived(secret, name)

    # -- writing --------------------------------------------------------------------------------------------------

    def for_writing(self, name: KeyName) -> tuple[KeyName, bytes]:
        """Return a key that is on disk, made now if there is none, and its name; OSError if it cannot be written.

        The name is another for a subject whose key was thrown away: what was forgotten must stay so.
        """
        with self._lock:
            found = self._known(name)
            if found is not None:
                return name, found
            if name.day >= self.forgotten_before:
                secret = os.urandom(_BYTES)
                self._append(_entry(name.day, None, secret))
                self._secrets[name.day] = secret
                return name, _derived(secret, name)
            late = next((one for one in self._own if one.without_addition() == name), None)
            if late is None:
                late, key = name.with_addition(), os.urandom(_BYTES)
                self._append(_entry(late.day, late.subject, key))
                self._own[late] = key
            return late, self._own[late]

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            try:
                rest = line
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.fdatasync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)

    def forget(self, before: str, kept: Iterable[KeyName]) -> bool:
        """Throw away the keys of all days before `before` but for those of the subjects `kept`; whether any went.

        A name without a day stands for its subject on each of these days. OSError if that cannot be written: then
        all keys are as they were.
        """
        with self._lock:
            if before < self.forgotten_before:
                return False  # whoever chose `kept` did not think of what is younger
            old = {day for day in self._secrets if day < before} | {one.day for one in self._own}
            names = {KeyName(day, name.subject) for name in kept for day in ([name.day] if name.day else old)}
            names |= {one for one in self._own if one.without_addition() in names}
            found = {name: self._known(name) for name in names if name.day < before}
            own = {name: key for name, key in found.items() if key is not None}
            secrets = {day: secret for day, secret in self._secrets.items() if day >= before}
            has_changed = (own, len(secrets)) != (self._own, len(self._secrets))
            if has_changed or before > self.forgotten_before:
                self._replace(before, secrets, own)
                self.forgotten_before, self._secrets, self._own = before, secrets, own
            return has_changed

    def _replace(
        self, horizon: str = "", secrets: dict[str, bytes] | None = None, own: dict[KeyName, bytes] | None = None
    ) -> None:
        """Write the file anew, in one step; the bytes of the one before are overwritten when the new one is in place.

        A file system that keeps old copies (snapshots, a log of its own) may still have them: see operations.md.
        """
        lines = [_framed({"format": _FORMAT, "forgotten_before": horizon})]
        lines += [_entry(day, None, secret) for day, secret in sorted((secrets or {}).items())]
        lines += [_entry(name.day, name.subject, key) for name, key in (own or {}).items()]
        being_made = self.path.with_name(f"{self.path.name}.new")
        try:
            descriptor = os.open(being_made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(b"".join(lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            being_made.unlink(missing_ok=True)
            raise
        before = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC) if self.path.exists() else -1
        try:
            being_made.rename(self.path)
            sync_folder(self.path.parent)
            if before >= 0:
                os.pwrite(before, b"\0" * os.fstat(before).st_size, 0)
                os.fdatasync(before)
        finally:
            if before >= 0:
                os.close(before)


def _derived(secret: bytes, name: KeyName) -> bytes:
    return blake2b(name.subject.encode(), key=secret, digest_size=_BYTES).digest()


def _entry(day: str, subject: str | None, key: bytes) -> bytes:
    return _framed({"day": day, "of": subject, "key": key.hex()})


def _framed(entry: dict[str, Any]) -> bytes:
    text = json.dumps(entry, ensure_ascii=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []


def _read(line: bytes) -> dict[str, Any] | None:
    """Return the entry of a line, None if it is not whole or not what was written."""
    try:
        checksum, text = int(line[:8], 16), line[9:-1]
        is_whole = line.endswith(b"\n") and zlib.crc32(text) == checksum
        entry: dict[str, Any] | None = json.loads(text) if is_whole else None
    except ValueError:
        return None
    return entry
