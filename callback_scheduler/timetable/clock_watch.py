"""Whether the wall clock can be believed: it is compared with one that only counts seconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from routing.clock import Clock

# Beyond this a clock was not corrected but lost: it may be a flat battery's year.
_BELIEVED = timedelta(hours=2)


class ClockWatch:
    """Tells by how much `clock` has jumped against `monotonic` (seconds); steps below `tolerance_s` are drift."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float], tolerance_s: float) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._tolerance = timedelta(seconds=tolerance_s)
        self._last = self._offset()
        self.jumped = timedelta(0)  # all jumps since the start together
        self._believed = timedelta(0)  # of these, what somebody meant

    def _offset(self) -> timedelta:
        return timedelta(seconds=self._clock.now().timestamp() - self._monotonic())

    def look(self) -> timedelta:
        """Return the jump since the last look, zero if there was none."""
        offset = self._offset()
        jump, self._last = offset - self._last, offset
        if abs(jump) < self._tolerance:
            return timedelta(0)
        self.jumped += jump
        return jump

    @property
    def is_doubted(self) -> bool:
        """Whether the clock stands so far from where it started that no great thing may be done on its word."""
        return abs(self.jumped - self._believed) > _BELIEVED

    def believe(self) -> None:
        """Take the clock as it stands now for right: somebody set it who may."""
        self._believed = self.jumped
