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


def masked(number: str) -> str:
    """Return a number as logs may show it: 138****0000, ****1 for short ones."""
    return f"{number[:3]}****{number[-4:]}" if len(number) > 7 else f"****{number[-1:]}"


# A mobile, a landline with its area code, a service number, or eight digits that are no date; order numbers, dates
# with a time, and ids that begin or end with a letter are none.
_IN_TEXT = re.compile(
    r"(?<![0-9A-Za-z.-])(?:\+86[ -]?|0086[ -]?)?"
    r"(?:1[3-9]\d[ -]?\d{4}[ -]?\d{4}|0\d{2,3}[ -]?\d{7,8}|[48]00[ -]?\d{3}[ -]?\d{4}|(?!20\d\d[01]\d)[2-8]\d{7})"
    r"(?![0-9A-Za-z])"
)


def masked_in(text: str) -> str:
    """Return a text with every phone number in it masked, as far as digits look like one."""
    return _IN_TEXT.sub(lambda found: masked(found[0]), text)
