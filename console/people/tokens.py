"""Tokens: one-time tokens for people who have no password yet, and lasting ones with scopes for programs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.defer import DeferredLock, ensureDeferred
from twisted.python.failure import Failure

from console.errors import NotStored
from console.people import json_file
from console.people.threads import InThread
from routing.clock import Clock

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
    which sees one unit's orders only if it has a `unit_id`). `made_by` is the administrator who answers for it; "" for
    the first token of all.
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
    """All tokens, kept in memory and in `path`; a change counts once it is on disk, and not at all if it is not.

    Changes are made one after the other. All raise NotStored if the disk does not take them. `vouches` says whether an
    administrator (as `made_by` has them) still is one: what a former one handed out is worth nothing.
    """

    def __init__(self, path: Path, in_thread: InThread, clock: Clock, vouches: Callable[[str], bool]) -> None:
        self._path, self._in_thread, self._clock, self._vouches = path, in_thread, clock, vouches
        self._tokens: dict[str, Token] = {}
        self._noted_at: dict[str, datetime] = {}
        self._one_at_a_time = DeferredLock()

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
        token = Token(_key(text), kind, name, now + timedelta(seconds=valid_s), scopes, made_by, unit_id, now)
        async with self._one_at_a_time:
            await self._keep([*self._others(kind, name), token])
        return text

    def find(self, text: str, *kinds: str) -> Token | None:
        """Return what a token is for; None if it is none of these kinds, over, or nobody answers for it any more."""
        token = self._tokens.get(_key(text.strip()))
        if token is None or token.kind not in kinds or token.expires_at <= self._clock.now():
            return None
        return token if self.is_vouched_for(token) else None

    def is_vouched_for(self, token: Token) -> bool:
        """Whether the administrator who made a token, or took it over, still is one."""
        return not token.made_by or self._vouches(token.made_by)

    async def take_over(self, kind: str, name: str, made_by: str) -> None:
        """Let another administrator answer for a token."""
        async with self._one_at_a_time:
            changed = [
                replace(one, made_by=made_by) if (one.kind, one.name) == (kind, name) else one
                for one in self._tokens.values()
            ]
            await self._keep(changed)

    def note_use(self, token: Token) -> None:
        """Remember that a token was used: every ten minutes at most, and nobody waits, since nothing depends on it."""
        now, noted_at = self._clock.now(), self._noted_at.get(token.key, token.used_at)
        if noted_at is None or now - noted_at >= _NOTED_AGAIN:
            self._noted_at[token.key] = now
            writing = ensureDeferred(self._keep_use(token.key, now))
            writing.addErrback(_not_stored)

    async def _keep_use(self, key: str, at: datetime) -> None:
        async with self._one_at_a_time:
            if key in self._tokens:  # it may have been withdrawn meanwhile
                await self._keep(replace(one, used_at=at) if one.key == key else one for one in self._tokens.values())

    async def use_up(self, token: Token) -> bool:
        """Take a token away; False if somebody else has used it meanwhile."""
        async with self._one_at_a_time:
            if token.key not in self._tokens:
                return False
            await self._keep([one for one in self._tokens.values() if one.key != token.key])
        return True

    async def withdraw(self, kind: str, name: str) -> None:
        """Let no token of a kind and name be worth anything."""
        async with self._one_at_a_time:
            await self._keep(self._others(kind, name))

    def of_kind(self, kind: str) -> list[Token]:
        """Return the tokens of a kind that are still good, by name."""
        now = self._clock.now()
        good = [one for one in self._tokens.values() if one.kind == kind and one.expires_at > now]
        return sorted(good, key=lambda one: one.name)

    def _others(self, kind: str, name: str) -> list[Token]:
        return [one for one in self._tokens.values() if (one.kind, one.name) != (kind, name)]

    async def _keep(self, tokens: Iterable[Token]) -> None:
        """Put those that are still good on disk, and go by them then; in somebody's turn only."""
        now = self._clock.now()
        good = [one for one in tokens if one.expires_at > now]
        await json_file.put(self._path, {"tokens": [_as_fields(one) for one in good]}, self._in_thread)
        self._tokens = {one.key: one for one in good}
        self._noted_at = {key: at for key, at in self._noted_at.items() if key in self._tokens}


def _not_stored(failure: Failure) -> None:
    if not isinstance(failure.value, NotStored):  # of that the operator has heard
        failure.raiseException()


def _as_fields(token: Token) -> dict[str, Any]:
    fields = asdict(token)
    return fields | {name: fields[name].isoformat() for name in _INSTANTS if fields[name]}


def _key(text: str) -> str:
    return sha256(text.encode()).hexdigest()
