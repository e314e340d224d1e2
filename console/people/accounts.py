"""Accounts: who may log in, in one JSON file of this user only."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import DeferredLock

from callback_scheduler.orders.actor import Actor, ActorRole
from console.errors import BadInput, Impossible
from console.people import json_file
from console.people.roles import Role
from console.people.threads import InThread

_LONGEST_NAME = 40
_MOST_ADDRESSES = 5
# a change of any of these ends every session of the account, and what was begun in one
_RIGHTS = ("role", "unit_id", "is_active", "password_hash", "totp_secret")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in.

    `unit_id` is "" unless the role is UNIT. `number` is the phone that is rung first for a seat or a unit's person.
    Without `password_hash` nobody can log in yet: a one-time token is out. `generation` grows with every change that
    ends all sessions. `totp_secret` is "" without a second factor; `totp_used_step` is the last step of 30 s since 1970
    whose code was used. `usual_addresses` are the networks of the last log-ins, the latest last.
    """

    name: str
    role: Role
    unit_id: str = ""
    number: str = ""
    display_name: str = ""
    language: str = "zh"
    is_active: bool = True
    totp_secret: str = ""
    totp_used_step: int = 0
    usual_addresses: tuple[str, ...] = ()
    password_hash: str = ""
    generation: int = 0

    @property
    def shown_name(self) -> str:
        """What pages call them."""
        return self.display_name or self.name

    @property
    def administers(self) -> bool:
        """Whether they can log in as an administrator."""
        return self.vouches and bool(self.password_hash)

    @property
    def vouches(self) -> bool:
        """Whether what they hand out as an administrator, tokens and invitations, is worth anything."""
        return self.role is Role.ADMIN and self.is_active


class Accounts:
    """All accounts, kept in memory and in `path`; a change counts once it is on disk, and not at all if it is not.

    Changes are made one after the other. All raise NotStored if the disk does not take them. `in_thread` runs what
    blocks.
    """

    def __init__(self, path: Path, in_thread: InThread) -> None:
        self._path, self._in_thread = path, in_thread
        self._accounts: dict[str, Account] = {}
        self._listeners: list[Callable[[Account], None]] = []
        self._one_at_a_time = DeferredLock()

    def load(self) -> None:
        """Read the file; ValueError if it is none of ours."""
        content = json_file.read(self._path) or {"accounts": []}
        known_fields = {one.name for one in fields(Account)}
        for entry in content["accounts"]:
            if unknown := entry.keys() - known_fields:
                raise ValueError(f"{self._path}: {unknown} is unknown to this version")
            addresses = tuple(entry.get("usual_addresses", ()))
            account = Account(**{**entry, "role": Role(entry["role"]), "usual_addresses": addresses})
            self._accounts[account.name] = account

    @property
    def has_administrator(self) -> bool:
        """Whether somebody can log in as an administrator."""
        return any(one.administers for one in self.all())

    def vouches(self, actor: str) -> bool:
        """Whether somebody, as the audit log names them, still is an administrator."""
        maker = Actor.read(actor)
        account = self._accounts.get(maker.name) if maker.role is ActorRole.ADMIN else None
        return account is not None and account.vouches

    def all(self) -> list[Account]:
        """Return every account, by name."""
        return _by_name(self._accounts)

    def find(self, name: str) -> Account | None:
        """Return the account of a name as somebody typed it; None if there is none."""
        return self._accounts.get(normalised(name))

    async def add(self, account: Account) -> Account:
        """Keep a new account; Impossible if the name is taken, BadInput if it is no name."""
        account = replace(account, name=checked_name(account.name))
        async with self._one_at_a_time:
            if account.name in self._accounts:
                raise Impossible(key="accounts.name_taken")
            return await self._keep(account)

    def when_sessions_end(self, listener: Callable[[Account], None]) -> None:
        """Let `listener` be told of each account, as it was, whose sessions are all over: what they began ends too."""
        self._listeners.append(listener)

    async def change(self, name: str, *, as_of: Account | None = None, **changes: Any) -> Account:
        """Change fields of an account; its sessions are over if what it may do, or how it logs in, is another.

        Raises Impossible if no administrator would be left, or if the sessions of the account ended after `as_of`:
        what somebody proved before counts no more.
        """
        async with self._one_at_a_time:
            before = self._accounts[name]
            if as_of is not None and as_of.generation != before.generation:
                raise Impossible(key="accounts.changed_meanwhile")
            is_other = any(changes.get(one, getattr(before, one)) != getattr(before, one) for one in _RIGHTS)
            after = replace(before, generation=before.generation + is_other, **changes)
            others = (other for other in self.all() if other.name != name)
            if before.administers and not any(one.administers for one in (after, *others)):
                raise Impossible(key="accounts.last_administrator")
            return await self._keep(after)

    async def end_sessions(self, name: str) -> Account:
        """Let every session of an account be over."""
        async with self._one_at_a_time:
            account = self._accounts[name]
            return await self._keep(replace(account, generation=account.generation + 1))

    async def use_step(self, name: str, step: int, newest: int) -> bool:
        """Note that the code of a step was used; False if it was before. `newest` is the last that can be right now.

        A step beyond `newest` was noted by a clock that has been set back since: it would lock everybody out.
        """
        async with self._one_at_a_time:
            account = self._accounts[name]
            if step <= account.totp_used_step <= newest:
                return False
            await self._keep(replace(account, totp_used_step=step))
            return True

    async def note_address(self, name: str, address: str) -> None:
        """Remember from where somebody logs in."""
        async with self._one_at_a_time:
            account = self._accounts[name]
            if address not in account.usual_addresses:
                addresses = (*account.usual_addresses, address)[-_MOST_ADDRESSES:]
                await self._keep(replace(account, usual_addresses=addresses))

    async def _keep(self, account: Account) -> Account:
        """Put all on disk, with this account as it is to be, and go by it then; in somebody's turn only."""
        accounts = self._accounts | {account.name: account}
        content = {"accounts": [asdict(one) | {"role": one.role.value} for one in _by_name(accounts)]}
        await json_file.put(self._path, content, self._in_thread)
        before = self._accounts.get(account.name)
        self._accounts = accounts
        if before is not None and before.generation != account.generation:
            for listener in self._listeners:
                listener(before)
        return account


def _by_name(accounts: dict[str, Account]) -> list[Account]:
    return sorted(accounts.values(), key=lambda one: one.name)


def normalised(name: str) -> str:
    """Return a name as it is kept: without blanks around it, width and case of letters made one."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def checked_name(name: str) -> str:
    """Return a name as it is kept; BadInput if it is empty, too long, or has characters that fool a reader."""
    normal = normalised(name)
    if not 0 < len(normal) <= _LONGEST_NAME or not all(letter.isalnum() or letter in "._-@" for letter in normal):
        raise BadInput(key="accounts.bad_name")
    return normal
