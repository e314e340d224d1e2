"""Lock-out: after too many failed log-ins an account, or an address, waits for a pause that grows."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.console import Lockout
from routing.clock import Clock

_MOST_KEPT = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: datetime


class FailedLogins:
    """Counts failures by name, known or not, and by address; in memory, since whoever can restart us needs no guess."""

    def __init__(self, settings: Lockout, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def pause_s(self, name: str, address: str) -> int:
        """Return for how many seconds yet no try of this name or from this address is looked at; 0 if one is."""
        account = self._left_s(("account", name), self._settings.account_tries)
        return max(account, self._left_s(("address", address), self._settings.address_tries))

    def note_failure(self, name: str, address: str) -> None:
        """Count a failure for both."""
        for key in (("account", name), ("address", address)):
            failures = self._recent(key)
            self._failures[key] = _Failures(failures.count + 1 if failures else 1, self._clock.now())
            self._failures.move_to_end(key)
        while len(self._failures) > _MOST_KEPT:
            self._failures.popitem(last=False)

    def note_success(self, name: str) -> None:
        """Forget an account's failures; those of the address stay, or one good account would free all guesses."""
        self._failures.pop(("account", name), None)

    def locked(self) -> list[tuple[str, str, int]]:
        """Return what is locked now, for an administrator: account or address, which, seconds left."""
        tries = {"account": self._settings.account_tries, "address": self._settings.address_tries}
        locked = [(kind, name, self._left_s((kind, name), tries[kind])) for kind, name in list(self._failures)]
        return [one for one in locked if one[2]]

    def _recent(self, key: tuple[str, str]) -> _Failures | None:
        failures = self._failures.get(key)
        if failures and self._clock.now() - failures.last > timedelta(seconds=self._settings.forgets_after_s):
            del self._failures[key]
            return None
        return failures

    def _left_s(self, key: tuple[str, str], tries: int) -> int:
        failures = self._recent(key)
        if failures is None or failures.count < tries:
            return 0
        pause_s = min(
            self._settings.longest_pause_s, self._settings.first_pause_s * 2.0 ** min(failures.count - tries, 30)
        )
        over_at = failures.last + timedelta(seconds=pause_s)
        left_s = (over_at - self._clock.now()).total_seconds()
        return int(left_s) + 1 if left_s > 0 else 0
