"""Phone numbers as an answer may show them: masked, unless the token may see whole ones and the audit log knows."""

from __future__ import annotations

import re

from console.api.declared import Asked
from ivr.dispatch.incoming import masked

# Digits that may be a phone number; eleven and more that begin with 2 are the number of an order.
_NUMBER = re.compile(r"(?<![0-9A-Za-z-])(?!2\d{10,})\+?\d{7,15}(?![0-9A-Za-z])")


def number(asked: Asked, given: str) -> str:
    """Return a phone number as this token may see it; "" stays so."""
    return given if asked.sees_numbers or not given else masked(given)


def words(asked: Asked, text: str) -> str:
    """Return a text that people typed, with the phone numbers in it as this token may see them."""
    return text if asked.sees_numbers else _NUMBER.sub(lambda found: masked(found[0]), text)


async def note_numbers(asked: Asked, about: str) -> None:
    """Let the audit log know before whole numbers are sent; JournalWriteFailed if it cannot."""
    if asked.sees_numbers:
        visit = asked.visit
        await visit.console.audit.write(
            str(visit.actor), "", visit.address, visit.route.name, about=about, why="numbers:full",
            result="numbers shown",
        )  # fmt: skip
