"""Passwords: hashed with argon2id (RFC 9106), and compared in the same time whether or not there is one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from console.errors import BadInput, TooMany
from console.people.threads import InThread

SHORTEST = 12
_MOST_WAITING = 20
_MOST_STRANGERS = 15  # of these: a flood of strangers leaves room for who logged in here before
_COME_BACK_S = 5
LONGEST = 200
_FEWEST_LETTERS = 5


class Passwords:
    """Makes and checks hashes in a thread; `hasher` is argon2id with its recommended cost unless a test needs less."""

    def __init__(self, in_thread: InThread, hasher: PasswordHasher | None = None) -> None:
        self._in_thread, self._hasher = in_thread, hasher or PasswordHasher()
        self._waiting = 0
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str, name: str) -> str:
        """Return the hash of a new password; BadInput if it is too short, too simple, or holds the account's name."""
        plain = _plain(password)
        if not SHORTEST <= len(plain) <= LONGEST:
            raise BadInput(key="login.password_length")
        if len(set(plain)) < _FEWEST_LETTERS or name.casefold() in plain.casefold():
            raise BadInput(key="login.password_simple")
        made: str = await self._one_more(lambda: self._hasher.hash(plain), _MOST_WAITING)
        return made

    async def fits(self, password_hash: str, password: str, *, is_stranger: bool = False) -> bool:
        """Whether a password is the one of a hash; with no hash, False after as long a time."""
        most = _MOST_STRANGERS if is_stranger else _MOST_WAITING
        checked: bool = await self._one_more(lambda: self._check(password_hash or self._nobody, password), most)
        return checked and bool(password_hash)

    async def _one_more(self, work: Callable[[], Any], most: int) -> Any:
        """Work in a thread; TooMany if many wait already: a flood of log-ins takes no more than that of the machine."""
        if self._waiting >= most:
            raise TooMany(retry_after_s=_COME_BACK_S)
        self._waiting += 1
        try:
            return await self._in_thread(work)
        finally:
            self._waiting -= 1

    def _check(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, _plain(password[: LONGEST + 1]))
        except (VerificationError, InvalidHashError):
            return False


def _plain(password: str) -> str:
    """Make one of the ways to write the same letters (NIST SP 800-63B 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
