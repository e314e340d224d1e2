"""Counts the seconds in which people really talked: joined, and both of them there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ivr.calls.leg import Leg
from ivr.line.messages import Heartbeat

# Who listens may send nothing but a report every five seconds (RFC 3550 6.2; the interval varies by half).
LONGEST_SILENCE_S = 10.0


@dataclass(slots=True)
class _Presence:
    """An unbroken time in which a leg was there, in the line's monotonic seconds: up to its last sign, never beyond."""

    since_s: float
    until_s: float


class TalkMeter:
    """Two-way seconds of each leg with the caller, from the line's one-second heartbeats.

    A second counts when both legs are joined and both were there: between two signs of life (RTP, comfort noise, RTCP)
    no more than ten seconds apart. So a listener's silence is talk, and the silence of a phone that has died is none.
    That is the definition of talk in the connect rate (`docs/architecture.md`).
    """

    def __init__(self) -> None:
        self.caller_s = 0.0
        self._joined_at: dict[int, float] = {}
        self._signs: dict[int, int] = {}
        self._there: dict[int, _Presence] = {}
        self._counted_s: dict[int, float] = {}  # up to when a leg's talk with the caller is counted
        self._caller_counted_s = 0.0
        self._last_beat_s: float | None = None

    def join(self, legs: Iterable[Leg], now_s: float) -> None:
        """Note who is joined from now on; `now_s` is the machine's monotonic time, as in the heartbeats."""
        self._joined_at = {leg.leg_id: self._joined_at.get(leg.leg_id, now_s) for leg in legs}

    def leave(self, leg: Leg) -> None:
        """Note that a leg is joined no more."""
        self._joined_at.pop(leg.leg_id, None)

    def beat(self, event: Heartbeat, joined: Iterable[Leg], caller: Leg | None) -> None:
        """Add the time both were joined and there, as far as it is proved by now."""
        self._note_signs(event)
        if caller is None or caller not in (joined := tuple(joined)):
            return
        for leg in joined:
            if leg is caller:
                continue
            begin_s, end_s = self._both_there(caller, leg)
            own_from_s = max(begin_s, self._counted_s.get(leg.leg_id, 0.0))
            if end_s > own_from_s:
                leg.record.two_way_s = round(leg.record.two_way_s + end_s - own_from_s, 2)
                self._counted_s[leg.leg_id] = end_s
            all_from_s = max(begin_s, self._caller_counted_s)
            if end_s > all_from_s:
                self.caller_s += end_s - all_from_s
                self._caller_counted_s = end_s

    def _note_signs(self, event: Heartbeat) -> None:
        last_s, self._last_beat_s = self._last_beat_s, event.monotonic_s
        signs = event.signs_of_life or event.rx_packets
        for leg, count in signs.items():
            if count <= self._signs.get(leg, 0):
                continue
            there = self._there.get(leg)
            if there is None or event.monotonic_s - there.until_s > LONGEST_SILENCE_S:
                # its first sign came at some time since the beat before
                begun_s = event.monotonic_s if last_s is None else max(last_s, event.monotonic_s - 5.0)
                self._there[leg] = _Presence(begun_s, event.monotonic_s)
            else:
                there.until_s = event.monotonic_s
        self._signs.update(signs)

    def _both_there(self, caller: Leg, other: Leg) -> tuple[float, float]:
        one, two = self._there.get(caller.leg_id), self._there.get(other.leg_id)
        if one is None or two is None:
            return 0.0, 0.0
        joined_s = max(self._joined_at.get(leg.leg_id, 0.0) for leg in (caller, other))
        return max(one.since_s, two.since_s, joined_s), min(one.until_s, two.until_s)
