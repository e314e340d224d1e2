"""JSON and numbers as they come from outside: within bounds, so that no size, depth or sign of them is a surprise."""

from __future__ import annotations

import json
import math
from typing import Any

LARGEST_JSON_BYTES = 262_144
_DEEPEST = 16
_MOST_VALUES = 20_000
_LONGEST_INTEGER = 18  # as much as 64 bits hold


def read_json(text: bytes) -> Any:
    """Return what a JSON text says; ValueError if it is none, or has what no answer of ours could be made of.

    That is: NaN and infinity, integers beyond 64 bits, halves of surrogate pairs, more than 16 levels or 20,000 values.
    """
    try:
        content = json.loads(text, parse_constant=_refused, parse_int=_integer, parse_float=_float)
    except RecursionError as wrong:
        raise ValueError("it is nested too deeply") from wrong
    _check(content)
    return content


def whole_number(text: str, least: int, most: int) -> int | None:
    """Return the whole number that a field or an address has in ASCII digits; None if it is none within its bounds."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_INTEGER):
        return None
    return int(text) if least <= int(text) <= most else None


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _LONGEST_INTEGER:
        raise ValueError("an integer is too large")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _check(content: Any) -> None:
    """Walk without recursion: how deep it goes is what is in question."""
    level, values = [content], 0
    for _ in range(_DEEPEST + 1):
        values += len(level)
        if values > _MOST_VALUES:
            raise ValueError("it has too many values")
        inner: list[Any] = []
        for value in level:
            if isinstance(value, str):
                value.encode()  # UnicodeEncodeError is a ValueError: half of a surrogate pair
            elif isinstance(value, dict):
                inner += [*value, *value.values()]
            elif isinstance(value, list):
                inner += value
        if not inner:
            return
        level = inner
    raise ValueError("it is nested too deeply")
