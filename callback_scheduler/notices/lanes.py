"""Which letter to a receiver goes out next: lanes, tries and pauses, without any I/O.

Letters wait in lanes, one for each order (for mail: for each recipient). Of a lane only the first goes out, and the
next one when that is settled; lanes do not wait for each other. A receiver that fails is given a pause, doubled each
time, with jitter; after the pause one letter is tried, the least tried first, and only if that arrives the others
follow. So a receiver that comes back is not run over, and one letter it chokes on holds up no other order.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from callback_scheduler.ledger.feed import Letter
from config.notices import Retry

_ASKED_PAUSE_AT_MOST_S = 3600.0


@dataclass(slots=True)
class Lane:
    """Letters that go out one after the other; `tries` are those of the first one."""

    name: str
    not_before_s: float
    letters: deque[Letter] = field(default_factory=deque)
    is_busy: bool = False
    tries: int = 0
    arrived_at_last_try: int = 0  # how many letters of any lane had arrived when this one failed
    failed_alone: int = 0  # tries of which others arrived afterwards, so that the receiver was there


class Lanes:
    """All that waits for one receiver; times are seconds of the reactor's clock."""

    def __init__(self, retry: Retry, parallel: int, gather_s: float, chance: random.Random) -> None:
        self._retry, self._parallel, self._gather_s, self._chance = retry, parallel, gather_s, chance
        self._lanes: dict[str, Lane] = {}
        self._unsettled: dict[int, None] = {}  # positions, in order
        self._paused_until_s = 0.0
        self._busy = 0
        self.arrived = 0
        self.failures = 0  # in a row

    @property
    def waiting(self) -> int:
        """How many letters are not settled, those under way included."""
        return len(self._unsettled)

    @property
    def first_unsettled(self) -> int | None:
        """Position of the earliest letter that is not settled; None if there is none."""
        return next(iter(self._unsettled), None)

    def put(self, name: str, letter: Letter, now_s: float) -> None:
        """Add a letter, later than all before, to the end of a lane."""
        self._unsettled[letter[0]] = None
        if name not in self._lanes:
            self._lanes[name] = Lane(name, now_s + self._gather_s)
        self._lanes[name].letters.append(letter)

    def begin(self, now_s: float) -> list[Lane]:
        """Return the lanes whose next letter goes out now; each must be settled, put off or broken off."""
        if now_s < self._paused_until_s:
            return []
        room = max(0, (1 if self.failures else self._parallel) - self._busy)
        ready = [lane for lane in self._lanes.values() if not lane.is_busy and lane.not_before_s <= now_s]
        begun = sorted(ready, key=lambda lane: (lane.tries, lane.letters[0][0]))[:room]
        for lane in begun:
            lane.is_busy = True
            lane.tries += 1
        self._busy += len(begun)
        return begun

    def next_moment_s(self, now_s: float) -> float | None:
        """Return when a lane that waits for its time may go; None if nothing waits for a time."""
        moments = [max(lane.not_before_s, self._paused_until_s) for lane in self._lanes.values() if not lane.is_busy]
        return min((moment for moment in moments if moment > now_s), default=None)

    # -- what became of a delivery ------------------------------------------------------------------------------------

    def note_answer(self, arrived: int) -> None:
        """Note that the receiver is there: it took `arrived` letters, or refused."""
        self.arrived += arrived
        self.failures, self._paused_until_s = 0, 0.0

    def settle(self, lane: Lane, count: int) -> list[int]:
        """Take the first `count` letters off a lane; return their positions."""
        positions = [lane.letters.popleft()[0] for _ in range(count)]
        for position in positions:
            del self._unsettled[position]
        self.break_off(lane)
        lane.tries, lane.failed_alone, lane.not_before_s = 0, 0, 0.0
        if not lane.letters:
            del self._lanes[lane.name]
        return positions

    def put_off(self, lane: Lane, now_s: float, asked_s: float) -> None:
        """Try again after a pause: the receiver did not take the letter, and asked for `asked_s` (0 if it did not)."""
        asked_s = min(asked_s, _ASKED_PAUSE_AT_MOST_S)
        lane.not_before_s = now_s + max(asked_s, self._pause_s(lane.tries))
        lane.arrived_at_last_try = self.arrived
        if now_s >= self._paused_until_s:  # those that failed at the same time are one failure
            self.failures += 1
            self._paused_until_s = now_s + self._pause_s(self.failures)
        self._paused_until_s = max(self._paused_until_s, now_s + asked_s)
        self.break_off(lane)

    def break_off(self, lane: Lane) -> None:
        """Let go of a lane, its letters unsettled."""
        lane.is_busy = False
        self._busy -= 1

    def is_hopeless(self, lane: Lane) -> bool:
        """Whether the letter failed so often, others arriving after each try, that its receiver cannot be away."""
        if lane.tries > 1 and self.arrived > lane.arrived_at_last_try:
            lane.failed_alone += 1
        return lane.failed_alone >= self._retry.gives_up_after

    def _pause_s(self, tries: int) -> float:
        whole: float = min(self._retry.longest_pause_s, self._retry.first_pause_s * 2.0 ** min(tries - 1, 30))
        return whole * self._chance.uniform(0.5, 1.0)
