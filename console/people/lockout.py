"""Lock-out: after too many failed log-ins an account, or an address, waits for a pause that grows.

Anybody who knows a name can fail in it. So its owner does not wait for what strangers did: tries from a device that
logged in to the account before, or from an address that did, are counted by themselves.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from config.console import Lockout
from console.people.devices import network_of
from routing.clock import Clock

_MOST_KEPT = 10_000
_Key = tuple[str, str]


class Standing(Enum):
    """What is known of whoever tries, before they have proved anything."""

    STRANGER = "stranger"  # counts against the account, for all strangers together, and against the address
    USUAL_ADDRESS = "usual_address"  # counts against this account from this address, and against the address
    KNOWN_DEVICE = "known_device"  # counts against this account on this device alone, whatever its address


@dataclass(frozen=True, slots=True)
class Try:
    """A try to log in: `name` as it was typed, known or not; "" with a one-time token, which names nobody.

    `device` names the browser of a known device.
    """

    name: str
    address: str
    standing: Standing = Standing.STRANGER
    device: str = ""

    @property
    def counters(self) -> tuple[_Key, ...]:
        """What a failure counts against."""
        address = network_of(self.address)
        if self.standing is Standing.KNOWN_DEVICE:
            return (("device", f"{self.name} {self.device}"),)
        if self.standing is Standing.USUAL_ADDRESS:
            return ("usual", f"{self.name} {address}"), ("address", address)
        return (*((("account", self.name),) if self.name else ()), ("address", address))


@dataclass(slots=True)
class _Failures:
    count: int
    last: datetime


class FailedLogins:
    """Counts failures; in memory, since whoever can restart us needs no guess."""

    def __init__(self, settings: Lockout, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._failures: OrderedDict[_Key, _Failures] = OrderedDict()

    def pause_s(self, attempt: Try) -> int:
        """Return for how many seconds yet no such try is looked at; 0 if one is."""
        return max(self._left_s(key) for key in attempt.counters)

    def note_failure(self, attempt: Try) -> None:
        """Count a failure."""
        for key in attempt.counters:
            failures = self._recent(key)
            self._failures[key] = _Failures(failures.count + 1 if failures else 1, self._clock.now())
            self._failures.move_to_end(key)
        while len(self._failures) > _MOST_KEPT:
            self._failures.popitem(last=False)

    def note_success(self, attempt: Try) -> None:
        """Forget the failures of an account; those of the address stay, or one good account would free all guesses.

        What strangers did stays as well, unless it was a stranger who has the password.
        """
        self._failures.pop(attempt.counters[0], None)

    def locked(self) -> list[tuple[str, str, int]]:
        """Return what is locked now, for an administrator: account, usual, device or address, which, seconds left."""
        locked = [(kind, name, self._left_s((kind, name))) for kind, name in list(self._failures)]
        # names of known accounts have no blanks
        return [
            (kind, name.partition(" ")[0] if kind in ("usual", "device") else name, seconds)
            for kind, name, seconds in locked
            if seconds
        ]

    def _recent(self, key: _Key) -> _Failures | None:
        failures = self._failures.get(key)
        if failures and self._clock.now() - failures.last > timedelta(seconds=self._settings.forgets_after_s):
            del self._failures[key]
            return None
        return failures

    def _left_s(self, key: _Key) -> int:
        failures = self._recent(key)
        tries = self._settings.address_tries if key[0] == "address" else self._settings.account_tries
        if failures is None or failures.count < tries:
            return 0
        pause_s = min(
            self._settings.longest_pause_s, self._settings.first_pause_s * 2.0 ** min(failures.count - tries, 30)
        )
        over_at = failures.last + timedelta(seconds=pause_s)
        left_s = (over_at - self._clock.now()).total_seconds()
        return int(left_s) + 1 if left_s > 0 else 0
