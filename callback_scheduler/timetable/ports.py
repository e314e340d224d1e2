"""What the timetable has done for it by the rooms above: callables that ring, tell, count."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from callback_scheduler.orders.order import Attempt, Lease, Order
from callback_scheduler.timetable.may_dial import DialFor, DialPast, DialRefusal

# Puts something on disk that somebody is told of afterwards; False if it did not get there.
Note = Callable[[], Awaitable[bool]]


class Notices(Protocol):
    """Where units and supervisors are told something."""

    async def tell(self, kind: str, order: Order, extra: dict[str, Any], at: datetime) -> None:
        """Put a notice on its way; it is on disk on return, and sent at least once."""
        ...


def _no_phones() -> Collection[str]:
    return ()


async def _leave_it(at: datetime) -> None:
    return None


class Gate(Protocol):
    """Asks `may_dial.may_dial_now` by the site's rules."""

    def __call__(
        self, unit_id: str, number: str, why: DialFor, past: DialPast | None = None, at: datetime | None = None
    ) -> DialRefusal | None:
        """Return why a number may not be rung at an instant (now, if None); None if it may."""
        ...


def _open_gate(
    unit_id: str, number: str, why: DialFor, past: DialPast | None = None, at: datetime | None = None
) -> DialRefusal | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """`ring_back` places a callback under a lease and returns the attempt as it ended; `remind_leader` rings a number
    with a spoken reminder, calls what it is given at the moment when key 1 acknowledges it, says then that it is noted
    (or that it is not), and tells whether that was so; `free_lines` counts the lines callbacks may take now,
    `phones_in_use` the numbers of units that are on the phone; `keep_house` closes and forgets what may be;
    `may_dial_now` is the gate that every number is asked for at before it is rung.
    """

    ring_back: Callable[[Order, Attempt, Lease], Awaitable[Attempt]]
    remind_leader: Callable[[Order, str, Note], Awaitable[bool]]
    notices: Notices
    free_lines: Callable[[], int]
    phones_in_use: Callable[[], Collection[str]] = _no_phones
    keep_house: Callable[[datetime], Awaitable[None]] = _leave_it
    may_dial_now: Gate = _open_gate
