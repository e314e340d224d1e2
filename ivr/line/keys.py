"""Keys a caller presses: one press is reported once, by whichever way it was sent."""

from __future__ import annotations

# A phone that sends a key both by RFC 4733 and by SIP INFO sends the second within this time of the first.
SAME_PRESS_WITHIN_S = 0.3

RFC4733 = "rfc4733"
INFO = "info"


class KeyFilter:
    """Lets the first report of a press through, and holds back the same press told again by the other way."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, float]] = {}

    def is_new(self, digit: str, source: str, at: float) -> bool:
        """Tell whether `digit`, heard by way of `source` at second `at`, is a press of its own."""
        seen = self._last.get(digit)
        if seen is not None and seen[0] != source and at - seen[1] < SAME_PRESS_WITHIN_S:
            # told by both ways now: a third report is a press again
            del self._last[digit]
            return False
        self._last[digit] = (source, at)
        return True
