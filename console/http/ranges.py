"""Ranges of a file as players ask for them: one plain range, or the whole file; nothing else is worth its trouble."""

from __future__ import annotations

import re
from typing import Any

# 3,000 ranges in one header are 3,000 answers to one request
_PLAIN = re.compile(rb"bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))")


def keep_plain_range(request: Any, size: int) -> None:
    """Let a Twisted request for a file of `size` bytes ask for one range of it, or for all (RFC 9110, 14.2)."""
    asked = request.requestHeaders.getRawHeaders(b"range")
    if asked is None:
        return
    plain = _PLAIN.fullmatch(asked[-1].strip()) if len(asked) == 1 else None
    first, last, at_end = (int(digits) if digits else None for digits in plain.groups()) if plain else (None,) * 3
    is_in_order = first is not None and (last is None or first <= last)
    is_end = at_end is not None and 0 < at_end < size
    if not (is_in_order or is_end):
        request.requestHeaders.removeHeader(b"range")
