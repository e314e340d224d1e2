"""Phone numbers: how one is read that people, phones and trunks write in many ways, and which may be rung back.

Everything that is kept or compared is the stored form: the national number as it is dialled within China, 13800138000
or 02162345678, and an extension behind a dash, 02162345678-803.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

AREA_CODE = "021"  # Shanghai
LONGEST_WRITTEN = 64
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
# A subscriber's number begins with 2 to 8: 1 and 9 are the service codes of every city (021-12345, 0571-96345).
_LANDLINE = re.compile(r"0(?:10|2[0-9]|[3-9][0-9]{2})[2-8][0-9]{6,7}")
_SATELLITE = re.compile(r"1349|174")
_NUMBER_TYPES = {
    _MOBILE: frozenset({phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}),
    _LANDLINE: frozenset({phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}),
}
_FULL_WIDTH = re.compile("[\u3000\uff01-\uff5e]")
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63]")
_UNSEEN = re.compile("[\u200e\u200f\u202a-\u202e\u2060\ufeff]")  # which address books put around what is copied
_SEPARATORS = re.compile(r"[ \t\xa0\u2002-\u200a\u202f()./\-]")
_EXTENSION = re.compile(
    r"(?P<number>[^a-z,;#*]+?)[ \-,;]*(?:转|轉|分机号?|分機|,|;ext=|ext\.?|x|p|w|#|\*)[ :.]*(?P<keys>[0-9]{1,6})"
)
_LAST_GROUP = re.compile(r"(?P<number>.*[0-9)]) ?[-(](?P<keys>[0-9]{1,6})\)?")
_STORED = re.compile(r"(?P<number>[0-9]{10,12})(?:-(?P<keys>[0-9]{1,6}))?")

_LOCAL_DIGITS = 7  # of the shortest landline without its area code


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number within China: its national form, and the keys of an extension, "" for none."""

    national: str
    extension: str = ""

    def __str__(self) -> str:
        return f"{self.national}-{self.extension}" if self.extension else self.national


def read_number(written: str, area_code: str = AREA_CODE) -> PhoneNumber | None:
    """Return the number that somebody wrote, None if it is none that a person in China could be rung at.

    Read are +86, 0086 and 86, the 0 that out-of-town trunks put before a mobile, landlines with and without area code
    (`area_code` is that of the site) and with or without its 0, extensions (-803, 转803, `,803`, ;ext=803), separators,
    and full-width characters. Other digits than ASCII's are never a number: what looks like one may ring another.
    """
    text = _folded(written)
    if text is None:
        return None
    text = text.removeprefix("tel:")
    explicit = _EXTENSION.fullmatch(text)
    if explicit is not None:
        national = _national(explicit["number"], area_code)
        return PhoneNumber(national, explicit["keys"]) if national else None
    national = _national(text, area_code)
    if national is not None:
        return PhoneNumber(national)
    last = _LAST_GROUP.fullmatch(text)
    national = _national(last["number"], area_code) if last is not None else None
    return PhoneNumber(national, last["keys"]) if last is not None and national else None


def dialable(
    number: str, patterns: tuple[str, ...], own_numbers: tuple[str, ...] = (), area_code: str = AREA_CODE
) -> str | None:
    """Return `number` in its stored form if it may be rung back, or None.

    The allow-list `patterns`, of national numbers, come first, then the numbering plan; never premium, service,
    satellite or international numbers, nor our own. `area_code` stands before a local number.
    """
    phone = read_number(number, area_code)
    if phone is None or not any(re.fullmatch(pattern, phone.national) for pattern in patterns):
        return None
    own = {str(read_number(one, area_code) or one) for one in own_numbers}
    return None if phone.national in own or not is_in_plan(phone.national) else str(phone)


@lru_cache(maxsize=20_000)  # the timetable asks about every open order, again and again
def is_in_plan(national: str) -> bool:
    """Whether a national number is the phone of a person by the numbering plan, whatever a site allows."""
    kind = next((pattern for pattern in _NUMBER_TYPES if pattern.fullmatch(national)), None)
    if kind is None or _SATELLITE.match(national):
        return False
    # made from its digits: to parse them would take three times as long
    number = phonenumbers.PhoneNumber(country_code=86, national_number=int(national))
    return phonenumbers.number_type(number) in _NUMBER_TYPES[kind]


def digits_of(written: str) -> str | None:
    """Return what was written as ASCII digits without separators, with a + that leads; None if there is more in it."""
    digits = _SEPARATORS.sub("", (_folded(written) or "").removeprefix("tel:"))
    return digits if re.fullmatch(r"\+?[0-9]{1,17}", digits) else None


def stored(number: str) -> PhoneNumber | None:
    """Return the parts of a number in its stored form, None for any other text: an extension, a URI, nothing."""
    parts = _STORED.fullmatch(number)
    return PhoneNumber(parts["number"], parts["keys"] or "") if parts and is_in_plan(parts["number"]) else None


def base_of(number: str) -> str:
    """Return a stored number without its extension; any other text as it is."""
    phone = stored(number)
    return phone.national if phone is not None else number


def identifies(number: str) -> bool:
    """Whether what is kept of a caller says which phone they ring from: callers without a number are not one person."""
    return number.isascii() and len(re.sub(r"[^0-9]", "", number)) > 2


def is_same_number(one: str, other: str) -> bool:
    """Whether two ways to write a number mean one phone: with or without +86, or the area code a trunk leaves out."""
    shorter, longer = sorted((_subscriber(one), _subscriber(other)), key=len)
    is_landline = _MOBILE.fullmatch(longer) is None
    return shorter == longer != "" or (is_landline and len(shorter) >= _LOCAL_DIGITS and longer.endswith(shorter))


def _subscriber(number: str) -> str:
    digits = re.sub(r"\D", "", re.sub(r"^\s*(?:\+86|0086)", "", number), flags=re.ASCII)
    return digits.removeprefix("0")


def could_be_found_by(caller: str) -> bool:
    """Whether a person may find a caller out by what is kept of them, in whatever digits that is written."""
    return sum(char.isnumeric() for char in caller) > 2


def masked(number: str) -> str:
    """Return a number as logs may show it: 138****0000, ****1 for short ones, "" for none."""
    if not number:
        return ""
    return f"{number[:3]}****{number[-4:]}" if len(number) > 7 else f"****{number[-1:]}"


def _folded(written: str) -> str | None:
    """Return a text with ASCII for what is full-width, without what is not seen; None if it cannot be a number."""
    if len(written) > LONGEST_WRITTEN:
        return None
    text = _UNSEEN.sub("", _FULL_WIDTH.sub(lambda char: unicodedata.normalize("NFKC", char[0]), written))
    text = _DASHES.sub("-", text).strip().lower()
    has_foreign_digits = any(char.isnumeric() and not char.isascii() for char in text)
    has_controls = any(char < " " and char != "\t" for char in text)
    return None if has_foreign_digits or has_controls else text


def _national(text: str, area_code: str) -> str | None:
    """Return the national number in digits, separators and perhaps a country code; None if there is none in it."""
    digits = _SEPARATORS.sub("", text)
    if re.fullmatch(r"\+?[0-9]{7,17}", digits) is None:
        return None
    abroad = re.match(r"\+00|\+|00", digits)
    if abroad is not None:
        digits = digits[abroad.end() :]
        return _within_china(digits.removeprefix("86")) if digits.startswith("86") else None
    candidates = [digits, digits.removeprefix("0")]
    if len(digits) in (7, 8):
        candidates = [area_code + digits]
    elif digits.startswith("86"):
        candidates = []
    elif not digits.startswith("0"):
        candidates.append("0" + digits)
    national = next((each for each in candidates if is_in_plan(each)), None)
    return _within_china(digits.removeprefix("86")) if national is None and digits.startswith("86") else national


def _within_china(digits: str) -> str | None:
    """Return the national number behind a country code, where the 0 of a landline is left out, or is not."""
    return next((each for each in (digits, "0" + digits, digits.removeprefix("0")) if is_in_plan(each)), None)
