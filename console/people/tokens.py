"""Tokens: one-time tokens for people who have no password yet, and lasting ones with scopes for programs."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import ensureDeferred

from console.people import json_file
from console.people.threads import InThread
from routing.clock import Clock

log = structlog.get_logger()

FIRST_ADMINISTRATOR = "first_administrator"
INVITATION = "invitation"
API = "api"
METRICS = "metrics:read"
SCOPES = (
    "orders:read", "orders:act", "calls:read", "reports:read", "online:write", METRICS, "numbers:full",
)  # fmt: skip
_INSTANTS = ("expires_at", "made_at", "used_at")
_NOTED_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Token:
    """What a token is for; only its hash is kept, as `key`.

    `kind` is first_administrator, invitation (of the account `name`) or api (of the program `name`, with `scopes`,
    which sees one unit's orders only if it has a `unit_id`).
    """

    key: str
    kind: str
    name: str
    expires_at: datetime
    scopes: tuple[str, ...] = ()
    made_by: str = ""
    unit_id: str = ""
    made_at: datetime | None = None
    used_at: datetime | None = None


class Tokens:
    """All tokens, kept in memory and in `path`."""

    def __init__(self, path: Path, in_thread: InThread, clock: Clock) -> None:
        self._path, self._in_thread, self._clock = path, in_thread, clock
        self._tokens: dict[str, Token] = {}

    def load(self) -> None:
        """Read the file."""
        content = json_file.read(self._path) or {"tokens": []}
        for entry in content["tokens"]:
            instants = {name: datetime.fromisoformat(entry[name]) for name in _INSTANTS if entry.get(name)}
            token = Token(**{**entry, **instants, "scopes": tuple(entry["scopes"])})
            self._tokens[token.key] = token

    async def make(
        self, kind: str, name: str, valid_s: float, *, scopes: tuple[str, ...] = (), made_by: str = "",
        unit_id: str = "",
    ) -> str:  # fmt: skip
        """Return a new token, to be shown once; an earlier one of the same kind and name is worth nothing any more."""
        text = secrets.token_urlsafe(24)
        now = self._clock.now()
        expires_at = now + timedelta(seconds=valid_s)
        for key in [one.key for one in self._tokens.values() if (one.kind, one.name) == (kind, name)]:
            del self._tokens[key]
        self._tokens[_key(text)] = Token(
            _key(text), kind, name, expires_at, scopes, made_by, unit_id, now
        )  # fmt: skip
        await self._save()
        return text

    def find(self, text: str, *kinds: str) -> Token | None:
        """Return what a token is for; None if it is none of these kinds, or over."""
        token = self._tokens.get(_key(text.strip()))
        if token is None or token.kind not in kinds or token.expires_at <= self._clock.now():
            return None
        return token

    def note_use(self, token: Token) -> None:
        """Remember that a token was used; on disk every ten minutes at most, since nothing depends on it."""
        now = self._clock.now()
        if token.used_at is None or now - token.used_at >= _NOTED_AGAIN:
            self._tokens[token.key] = replace(token, used_at=now)
            ensureDeferred(self._save()).addErrback(lambda why: log.warning("token_use_not_kept", error=str(why.value)))

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
        content = {"tokens": [_as_fields(one) for one in self._tokens.values()]}
        await self._in_thread(lambda: json_file.write(self._path, content))


def _as_fields(token: Token) -> dict[str, Any]:
    fields = asdict(token)
    return fields | {name: fields[name].isoformat() for name in _INSTANTS if fields[name]}


def _key(text: str) -> str:
    return sha256(text.encode()).hexdigest()
