"""Which phones have left without a word: a leg that is up and sends nothing at all, no RTP and no RTCP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ivr.line.messages import Heartbeat

NO_SOUND = "no sound"  # the cause in the record of a leg


class LegThatLives(Protocol):
    """What is looked at; see `leg.Leg`."""

    leg_id: int
    is_up: bool


class Liveness:
    """Follows the signs of life of a call's legs; `most_s` of silence is too much, 0 is never too much."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._last: dict[int, tuple[int, float]] = {}  # signs, and when the last of them was new

    def silent(self, event: Heartbeat, legs: Iterable[LegThatLives], excused: LegThatLives | None) -> list[int]:
        """Return the legs that have been silent for too long; `excused` is one we keep on hold."""
        gone = []
        for leg in legs:
            count = event.signs_of_life.get(leg.leg_id)
            if count is None:
                continue
            known = self._last.get(leg.leg_id)
            if known is None or count > known[0] or not leg.is_up or leg is excused:
                self._last[leg.leg_id] = (count, event.monotonic_s)
            elif self._most_s and event.monotonic_s - known[1] >= self._most_s:
                gone.append(leg.leg_id)
        return gone
