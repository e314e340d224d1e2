"""Phone numbers as an answer may show them: masked, unless the token may see whole ones and the audit log knows."""

from __future__ import annotations

from console.api.declared import ApiRequest
from routing.masking import masked_text
from routing.phone_numbers import masked


def number(request: ApiRequest, digits: str) -> str:
    """Return a phone number as this token may see it; "" stays so."""
    return digits if request.sees_numbers or not digits else masked(digits)


def words(request: ApiRequest, text: str) -> str:
    """Return a text that people typed, with the phone numbers in it as this token may see them."""
    return text if request.sees_numbers else masked_text(text)


async def note_numbers(request: ApiRequest, about: str) -> None:
    """Let the audit log know before whole numbers are sent; JournalWriteFailed if it cannot."""
    if request.sees_numbers:
        visit = request.visit
        await visit.console.audit.write(
            str(visit.actor), "", visit.address, visit.route.name, about=about, why="numbers:full",
            result="numbers shown",
        )  # fmt: skip
