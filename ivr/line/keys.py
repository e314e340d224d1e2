"""Keys a caller presses: one press is reported once, by whichever way it was sent."""

from __future__ import annotations

import re

# A phone that sends a key both by RFC 4733 and by SIP INFO sends the second within this time of the first.
SAME_PRESS_WITHIN_S = 0.3

RFC4733 = "rfc4733"
INFO = "info"

_SIGNAL = re.compile(r"^\s*Signal\s*=\s*([0-9A-D*#])", re.IGNORECASE | re.MULTILINE)
_ONE_KEY = re.compile(r"^\s*([0-9A-D*#])\s*$", re.IGNORECASE)
_EVENT_CODE = {"10": "*", "11": "#"}


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


def key_of_info(content_type: str, body: str) -> str | None:
    """Return the key in the body of a SIP INFO (application/dtmf-relay or application/dtmf), None if there is none."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/dtmf-relay":
        found = _SIGNAL.search(body)
    elif kind == "application/dtmf":
        if body.strip() in _EVENT_CODE:
            return _EVENT_CODE[body.strip()]
        found = _SIGNAL.search(body) or _ONE_KEY.match(body)
    else:
        return None
    return found.group(1).upper() if found else None
