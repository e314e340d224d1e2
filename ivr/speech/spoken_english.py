"""How numbers, times and lengths of time are said in English; same names as in `spoken`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ivr.speech import spoken
from routing.phone_numbers import stored

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
UNKNOWN_NUMBER = "unknown number"


def digits(number: str) -> str:
    """Return each digit apart: "12345" -> "1 2 3 4 5". Anything else is left out."""
    return " ".join(re.sub(r"\D", "", number))


def phone(number: str) -> str:
    """Return a telephone number in spoken groups: "13800138000" -> "1 3 8, 0 0 1 3, 8 0 0 0"."""
    whole = stored(number)
    if whole is not None and whole.extension:
        return f"{phone(whole.national)}, extension {digits(whole.extension)}"
    return ", ".join(digits(group) for group in spoken.phone_groups(number)) or UNKNOWN_NUMBER


def order_number(order_id: str) -> str:
    """Return an order number in spoken groups of up to four digits."""
    return ", ".join(digits(group) for group in spoken.fours(re.sub(r"\D", "", order_id)))


def moment(at: datetime) -> str:
    """Return day and time of `at`, in its own zone: "10 a.m. on Tuesday, 24 February"."""
    minutes = f":{at.minute:02}" if at.minute else ""
    half = "a.m." if at.hour < 12 else "p.m."
    return f"{at.hour % 12 or 12}{minutes} {half} on {_WEEKDAYS[at.weekday()]}, {at.day} {_MONTHS[at.month - 1]}"


def before(at: datetime) -> str:
    """Return `at` as a deadline: "before 10 a.m. on Tuesday, 24 February"."""
    return f"before {moment(at)}"


def duration(length: timedelta | float) -> str:
    """Return a length of time, seconds if a number, rounded to whole seconds: 120 -> "2 minutes"."""
    seconds = round(length.total_seconds() if isinstance(length, timedelta) else length)
    counts = ((seconds // 3600, "hour"), (seconds // 60 % 60, "minute"), (seconds % 60, "second"))
    said = [f"{count} {unit}{'s' if count > 1 else ''}" for count, unit in counts if count]
    return " ".join(said) or "0 seconds"


def numerals(text: str) -> str:
    """Return `text` with numerals of five digits or more taken apart; the voice reads shorter ones by itself."""
    return re.sub(r"\d{5,}", lambda match: digits(match.group()), text)
