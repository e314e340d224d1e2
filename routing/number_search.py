"""A phone number looked for in whatever form, whole or in part, among numbers as they are stored."""

from __future__ import annotations

import re
from collections.abc import Collection

from routing.phone_numbers import digits_of, read_number

_LEAST = 2
_SHOWN_FIRST, _SHOWN_LAST = 3, 4  # what `masked` shows of a number
# A part that is longer is found only by who knows the number, or by ten thousand tries, as the whole number is.
_GUESSED = 7
_MAY_HAVE_COUNTRY_CODE = 7


def number_parts(words: str) -> tuple[str, ...]:
    """Return the digits to look for in stored numbers, any of which will do; () if the words are no part of a number.

    Separators, +86, 0086, a 0 before a mobile and the 0 of an area code make no difference.
    """
    digits = digits_of(words)
    whole = read_number(words)
    if whole is not None:
        # an earlier version stored callers as trunks wrote them: +862162345678
        bare = whole.national.removeprefix("0")
        return (str(whole),) if whole.extension else tuple(dict.fromkeys((whole.national, bare)))
    if digits is None:
        return ()
    plain = re.sub(r"^(?:\+86|0086|\+)", "", digits)
    parts = [re.sub(r"^0(?=1[3-9])", "", plain)]
    if plain.startswith("86") and len(plain) >= _MAY_HAVE_COUNTRY_CODE:
        parts.append(plain.removeprefix("86"))
    return tuple(part for part in parts if len(part) >= _LEAST)


def has_part(number: str, parts: Collection[str], *, is_hidden: bool = False) -> bool:
    """Whether one of `parts` is in a stored number; where it `is_hidden`, only in the digits that are shown of it.

    Else who may not see a number would find it out, digit by digit.
    """
    if not is_hidden:
        return any(part in number for part in parts)
    shown = number[:_SHOWN_FIRST], number[-_SHOWN_LAST:]
    return any(part in number if len(part) >= _GUESSED else any(part in end for end in shown) for part in parts)
