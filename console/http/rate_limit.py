"""How often a program may ask: each token has a bucket that fills steadily, so that none of them starves the others."""

from __future__ import annotations

from math import ceil

from config.console import ConsoleSettings
from console.errors import TooMany
from routing.clock import Clock


class RateLimit:
    """Buckets by token; one that is full again is forgotten."""

    def __init__(self, settings: ConsoleSettings, clock: Clock) -> None:
        self._rate, self._burst, self._clock = settings.api_per_s, float(settings.api_burst), clock
        self._left: dict[str, tuple[float, float]] = {}  # what was left in a bucket, and when

    def take(self, name: str) -> None:
        """Count a request; TooMany if its token has asked too often."""
        now = self._clock.now().timestamp()
        left, at = self._left.get(name, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        if left < 1:
            raise TooMany(retry_after_s=max(1, ceil((1 - left) / self._rate)))
        self._left[name] = left - 1, now
        if len(self._left) > 1000:
            self._forget(now)

    def _forget(self, now: float) -> None:
        fills_s = self._burst / self._rate
        self._left = {name: (left, at) for name, (left, at) in self._left.items() if now - at < fills_s}
