"""Phone numbers: which may be rung back, and how one is shown where not everybody may read it."""

from __future__ import annotations

import re

import phonenumbers

# Types a work order may be rung back on; never premium, shared-cost or universal-access numbers.
_PLAIN_TYPES = {
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
}

_MOBILE = r"1[3-9]\d{9}"
_LOCAL_DIGITS = 7  # of the shortest landline without its area code


def dialable(number: str, patterns: tuple[str, ...], own_numbers: tuple[str, ...] = ()) -> str | None:
    """Return `number` as it may be rung back, or None.

    The allow-list `patterns` come first, then the numbering plan (`phonenumbers`); never premium, service or
    international numbers, nor our own. A leading +86 or 0086 is taken off.
    """
    plain = re.sub(r"[\s()-]", "", number)
    plain = re.sub(r"^(?:\+86|0086)", "", plain)
    if plain in own_numbers or not plain.isdigit():
        return None
    if not any(re.fullmatch(pattern, plain) for pattern in patterns):
        return None
    try:
        parsed = phonenumbers.parse(plain, "CN")
    except phonenumbers.NumberParseException:
        return None
    if parsed.country_code != 86 or phonenumbers.number_type(parsed) not in _PLAIN_TYPES:
        return None
    return plain


def is_same_number(one: str, other: str) -> bool:
    """Whether two ways to write a number mean one phone: with or without +86, or the area code a trunk leaves out."""
    shorter, longer = sorted((_subscriber(one), _subscriber(other)), key=len)
    is_landline = re.fullmatch(_MOBILE, longer) is None
    return shorter == longer != "" or (is_landline and len(shorter) >= _LOCAL_DIGITS and longer.endswith(shorter))


def _subscriber(number: str) -> str:
    digits = re.sub(r"\D", "", re.sub(r"^\s*(?:\+86|0086)", "", number), flags=re.ASCII)
    return digits.removeprefix("0")


def masked(number: str) -> str:
    """Return a number as logs may show it: 138****0000, ****1 for short ones."""
    return f"{number[:3]}****{number[-4:]}" if len(number) > 7 else f"****{number[-1:]}"
