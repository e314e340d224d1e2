"""What leaves the house about an event: its fields with phone numbers as the receiver may see them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from config.notices import PhoneNumbers
from routing.masking import with_numbers

_NUMBER_KEYS = {"number", "caller", "called"}
_FILE_KEYS = {"message_path", "recording", "messages"}
_AS_THEY_ARE = {"event_id", "order_id", "call_id", "attempt_id", "state_from", "state_to", "sequence"}


def masked(number: str) -> str:
    """Return a number as strangers may see it: 138****0000, ****1 for short ones."""
    return f"{number[:3]}****{number[-4:]}" if len(number) > 7 else f"****{number[-1:]}"


def disclosed(fields: Any, phone_numbers: PhoneNumbers, key: str = "") -> Any:
    """Return a copy of a JSON value with phone numbers full, masked or left out, and files by their name only.

    Numbers are found by the key they stand under, and in any text that somebody typed.
    """
    if isinstance(fields, dict):
        return {name: disclosed(value, phone_numbers, name) for name, value in fields.items()}
    if isinstance(fields, list | tuple):
        return [disclosed(value, phone_numbers, key) for value in fields]
    if not isinstance(fields, str) or not fields or key in _AS_THEY_ARE:
        return fields
    if key in _FILE_KEYS:
        return PurePath(fields).name
    shown = _SHOWN[phone_numbers]
    if key in _NUMBER_KEYS or key.endswith("_number"):
        return shown(fields)
    return with_numbers(fields, shown)


_SHOWN: dict[PhoneNumbers, Callable[[str], str]] = {
    "full": lambda number: number,
    "masked": masked,
    "left_out": lambda number: "",
}
