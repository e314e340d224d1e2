"""Sessions: who is logged in, kept in Redis under a hash of the id that only the browser has."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol

from console.people.accounts import Account, Accounts
from routing.clock import Clock

# A session in use is written anew so often only, so that a page costs one reading of Redis.
_TOUCH_S = 30.0
_WAITS_FOR_CODE_S = 300.0


class Shelf(Protocol):
    """Where sessions lie; see callback_scheduler/store/expiring_texts.py."""

    async def put(self, key: str, text: str, ttl_s: float) -> None:
        """Keep a text for so long."""

    async def replace(self, key: str, text: str, ttl_s: float) -> None:
        """Keep a text for so long in place of another, if there is one."""

    async def get(self, key: str) -> str | None:
        """Return a text."""

    async def drop(self, *keys: str) -> None:
        """Keep them no more."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody logged in since `made_at`, or with the second factor still to come (`waits_for_code`).

    `key` is the hash of the id under which it is kept; `generation` is the account's at the time.
    """

    key: str
    name: str
    generation: int
    csrf: str
    made_at: datetime
    seen_at: datetime
    waits_for_code: bool = False
    flashes: tuple[str, ...] = ()


class Sessions:
    """All sessions of the node; raises StoreUnavailable while Redis is away."""

    def __init__(self, shelf: Shelf, accounts: Accounts, clock: Clock, *, idle_s: float, longest_s: float) -> None:
        self._shelf, self._accounts, self._clock = shelf, accounts, clock
        self._idle_s, self._longest_s = idle_s, longest_s

    async def begin(self, account: Account, waits_for_code: bool = False) -> tuple[str, Session]:
        """Make a session; return its id, for the cookie only, and the session."""
        session_id = secrets.token_urlsafe(32)
        now = self._clock.now()
        session = Session(
            _key(session_id), account.name, account.generation, secrets.token_urlsafe(24), now, now, waits_for_code
        )
        await self._shelf.put(session.key, _as_json(session), self._idle_s)
        return session_id, session

    async def rotate(self, old: Session | None, account: Account, waits_for_code: bool = False) -> tuple[str, Session]:
        """Make a session in place of `old`, whose id is worth nothing from now on: at log-in and after each change."""
        if old is not None:
            await self.end(old)
        return await self.begin(account, waits_for_code)

    async def find(self, session_id: str) -> tuple[Session, Account] | None:
        """Return the session of a cookie and its account; None if it is over, or its account may not log in."""
        text = await self._shelf.get(_key(session_id)) if 20 < len(session_id) < 100 else None
        if text is None:
            return None
        session = _from_json(text)
        account = self._accounts.find(session.name)
        is_valid = account is not None and account.is_active and account.generation == session.generation
        if account is None or not is_valid or self._is_over(session):
            await self._shelf.drop(session.key)
            return None
        if (self._clock.now() - session.seen_at).total_seconds() >= _TOUCH_S:
            session = replace(session, seen_at=self._clock.now())
            await self._keep(session)
        return session, account

    async def flash(self, session: Session, *flashes: str) -> Session:
        """Keep words for the next page, in place of those there were."""
        changed = replace(session, flashes=flashes)
        await self._keep(changed)
        return changed

    async def set_aside(self, session: Session, text: str, ttl_s: float) -> None:
        """Keep a secret that its owner has yet to prove, beside the session."""
        await self._shelf.put(f"aside:{session.key}", text, ttl_s)

    async def set_aside_text(self, session: Session) -> str:
        """Return what was set aside, "" if nothing is."""
        return await self._shelf.get(f"aside:{session.key}") or ""

    async def end(self, session: Session) -> None:
        """Let a session be over."""
        await self._shelf.drop(session.key, f"aside:{session.key}")

    def _is_over(self, session: Session) -> bool:
        now = self._clock.now()
        longest_s = _WAITS_FOR_CODE_S if session.waits_for_code else self._longest_s
        is_idle = now - session.seen_at >= timedelta(seconds=self._idle_s)
        return is_idle or now - session.made_at >= timedelta(seconds=longest_s)

    async def _keep(self, session: Session) -> None:
        # a session that was ended meanwhile must not come back
        await self._shelf.replace(session.key, _as_json(session), self._idle_s)


def _key(session_id: str) -> str:
    return "session:" + sha256(session_id.encode()).hexdigest()


def _as_json(session: Session) -> str:
    fields = asdict(session) | {"made_at": session.made_at.isoformat(), "seen_at": session.seen_at.isoformat()}
    return json.dumps(fields, ensure_ascii=False)


def _from_json(text: str) -> Session:
    fields = json.loads(text)
    fields["made_at"] = datetime.fromisoformat(fields["made_at"])
    fields["seen_at"] = datetime.fromisoformat(fields["seen_at"])
    return Session(**fields | {"flashes": tuple(fields["flashes"])})
