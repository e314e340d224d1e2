"""Keys a caller presses: one press is reported once, by whichever way it was sent."""

from __future__ import annotations

import re

# A phone that sends a key both by RFC 4733 and by SIP INFO sends the second within this time of the first.
SAME_PRESS_WITHIN_S = 0.3

RFC4733 = "rfc4733"
INFO = "info"

_CONTENT_TYPE = re.compile(r"^(?:Content-Type|c)\s*:\s*application/dtmf\s*(?:;|$)", re.IGNORECASE | re.MULTILINE)
_SIGNAL = re.compile(r"^\s*(?:Signal\s*=\s*)?([0-9A-D*#]|1[01])\s*$", re.IGNORECASE | re.MULTILINE)
_EVENT_CODES = {"10": "*", "11": "#"}


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


def key_of_info(message: str) -> str | None:
    """Return the key in a SIP INFO of application/dtmf: `5`, `Signal=5`, or an event code (10 is *, 11 is #)."""
    head, _, body = message.replace("\r\n", "\n").partition("\n\n")
    match = _SIGNAL.search(body) if _CONTENT_TYPE.search(head) else None
    return _EVENT_CODES.get(match.group(1), match.group(1).upper()) if match else None
