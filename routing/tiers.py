"""Who is rung when: overlapping tiers, never more phones at once than the line has free legs.

The first tier rings at once, each further one `rings_after_s` after it, or as soon as nobody before it rings any more.
A phone rings `ring_s` at most, and at `ring_all_s` everything stops. Who finds no free leg waits for one, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Specialist:
    """A person at a unit; `number` is a phone number or a full `sip:` URI."""

    specialist_id: str
    name: str
    number: str


@dataclass(frozen=True)
class Tier:
    """Specialists rung together, `rings_after_s` seconds after the first tier."""

    specialists: tuple[Specialist, ...]
    rings_after_s: float


@dataclass(frozen=True)
class RingStart:
    """One phone, rung from `at_s` up to `until_s` (seconds after the first ring); `tier` counts from 0."""

    specialist: Specialist
    tier: int
    at_s: float
    until_s: float


def plan(tiers: Sequence[Tier], ring_s: float, ring_all_s: float, legs_free: int) -> tuple[RingStart, ...]:
    """Return who is rung when as long as nobody answers, in order of start.

    At most `legs_free` phones ring at any moment. Whoever is not in the plan would not be rung before `ring_all_s`.
    A number that stands in several tiers is rung in its first.
    """
    waiting = _in_order(tiers)
    starts: list[RingStart] = []
    at_s = 0.0
    while waiting and legs_free > 0 and at_s < ring_all_s:
        ringing = [start.until_s for start in starts if start.until_s > at_s]
        early = None if ringing else waiting[0][0]  # nobody rings: this tier need not wait for its time
        while waiting and len(ringing) < legs_free:
            tier, specialist = waiting[0]
            if tier != early and tiers[tier].rings_after_s > at_s:
                break
            waiting.popleft()
            starts.append(RingStart(specialist, tier, at_s, min(at_s + ring_s, ring_all_s)))
            ringing.append(starts[-1].until_s)
        moments = [*ringing, *(tiers[tier].rings_after_s for tier, _ in waiting)]
        at_s = min((moment for moment in moments if moment > at_s), default=ring_all_s)
    return tuple(starts)


def _in_order(tiers: Sequence[Tier]) -> deque[tuple[int, Specialist]]:
    """Return everybody once, with the tier, first tier first."""
    first_seen: dict[str, tuple[int, Specialist]] = {}
    for number, tier in sorted(enumerate(tiers), key=lambda numbered: numbered[1].rings_after_s):
        for specialist in tier.specialists:
            first_seen.setdefault(specialist.number, (number, specialist))
    return deque(first_seen.values())
