"""Counts the seconds in which people really talked: joined, with RTP from both."""

from __future__ import annotations

from collections.abc import Iterable

from ivr.calls.leg import Leg
from ivr.line.messages import Heartbeat


class TalkMeter:
    """Two-way seconds of each leg with the caller, from the line's one-second heartbeats.

    A second counts when both legs are joined and the line received RTP of both since the last beat: the definition
    of talk in the connect rate (`docs/architecture.md`).
    """

    def __init__(self) -> None:
        self.caller_s = 0.0
        self._joined_at: dict[int, float] = {}
        self._seen: dict[int, int] = {}
        self._last_beat_s: float | None = None

    def join(self, legs: Iterable[Leg], now_s: float) -> None:
        """Note who is joined from now on; `now_s` is the machine's monotonic time, as in the heartbeats."""
        self._joined_at = {leg.leg_id: self._joined_at.get(leg.leg_id, now_s) for leg in legs}

    def leave(self, leg: Leg) -> None:
        """Note that a leg is joined no more."""
        self._joined_at.pop(leg.leg_id, None)

    def beat(self, event: Heartbeat, joined: Iterable[Leg], caller: Leg | None) -> None:
        """Add the time since the last beat to each joined leg that was heard, if the caller was."""
        last_s, self._last_beat_s = self._last_beat_s, event.monotonic_s
        heard = {leg for leg, packets in event.rx_packets.items() if packets > self._seen.get(leg, 0)}
        self._seen.update(event.rx_packets)
        if caller is None or last_s is None or caller.leg_id not in heard or caller not in tuple(joined):
            return
        passed_s = min(event.monotonic_s - last_s, 5.0)
        partners = [leg for leg in joined if leg is not caller and leg.leg_id in heard]
        for leg in partners:
            leg.record.two_way_s = round(leg.record.two_way_s + self._share(leg, caller, event, passed_s), 2)
        if partners:
            self.caller_s += max(self._share(leg, caller, event, passed_s) for leg in partners)

    def _share(self, leg: Leg, caller: Leg, event: Heartbeat, passed_s: float) -> float:
        """Return how much of the last beat the two were joined, in seconds."""
        since_s = max(self._joined_at.get(leg.leg_id, 0.0), self._joined_at.get(caller.leg_id, 0.0))
        return max(0.0, min(passed_s, event.monotonic_s - since_s))
