"""Tokens: one-time tokens for people who have no password yet, and lasting ones with scopes for programs."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from console import json_file
from console.threads import InThread
from routing.clock import Clock

FIRST_ADMINISTRATOR = "first_administrator"
INVITATION = "invitation"
API = "api"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token is for; only its hash is kept, as `key`.

    `kind` is first_administrator, invitation (of the account `name`) or api (of the program `name`, with `scopes`).
    """

    key: str
    kind: str
    name: str
    expires_at: datetime
    scopes: tuple[str, ...] = ()
    made_by: str = ""


class Tokens:
    """All tokens, kept in memory and in `path`."""

    def __init__(self, path: Path, in_thread: InThread, clock: Clock) -> None:
        self._path, self._in_thread, self._clock = path, in_thread, clock
        self._tokens: dict[str, Token] = {}

    def load(self) -> None:
        """Read the file."""
        kept = json_file.read(self._path) or {"tokens": []}
        for entry in kept["tokens"]:
            expires_at = datetime.fromisoformat(entry["expires_at"])
            token = Token(**{**entry, "expires_at": expires_at, "scopes": tuple(entry["scopes"])})
            self._tokens[token.key] = token

    async def make(
        self, kind: str, name: str, valid_s: float, *, scopes: tuple[str, ...] = (), made_by: str = ""
    ) -> str:
        """Return a new token, to be shown once; an earlier one of the same kind and name is worth nothing any more."""
        text = secrets.token_urlsafe(24)
        expires_at = self._clock.now() + timedelta(seconds=valid_s)
        for key in [one.key for one in self._tokens.values() if (one.kind, one.name) == (kind, name)]:
            del self._tokens[key]
        self._tokens[_key(text)] = Token(_key(text), kind, name, expires_at, scopes, made_by)
        await self._save()
        return text

    def find(self, text: str, *kinds: str) -> Token | None:
        """Return what a token is for; None if it is none of these kinds, or over."""
        token = self._tokens.get(_key(text.strip()))
        if token is None or token.kind not in kinds or token.expires_at <= self._clock.now():
            return None
        return token

    async def use_up(self, token: Token) -> bool:
        """Take a token away; False if somebody else has used it meanwhile."""
        if self._tokens.pop(token.key, None) is None:
            return False
        await self._save()
        return True

    async def withdraw(self, kind: str, name: str) -> None:
        """Let no token of a kind and name be worth anything."""
        for key in [one.key for one in self._tokens.values() if (one.kind, one.name) == (kind, name)]:
            del self._tokens[key]
        await self._save()

    def of_kind(self, kind: str) -> list[Token]:
        """Return the tokens of a kind that are still good, by name."""
        now = self._clock.now()
        good = [one for one in self._tokens.values() if one.kind == kind and one.expires_at > now]
        return sorted(good, key=lambda one: one.name)

    async def _save(self) -> None:
        now = self._clock.now()
        self._tokens = {key: one for key, one in self._tokens.items() if one.expires_at > now}
        kept = [asdict(one) | {"expires_at": one.expires_at.isoformat()} for one in self._tokens.values()]
        content = {"tokens": kept}
        await self._in_thread(lambda: json_file.write(self._path, content))


def _key(text: str) -> str:
    return sha256(text.encode()).hexdigest()
