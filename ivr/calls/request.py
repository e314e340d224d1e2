"""What a caller has asked for so far: the order in the making."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class Request:
    """Grows while the caller chooses, keys and speaks; if the call breaks off, an order is made of what there is."""

    caller_number: str
    callback_number: str = ""  # confirmed by the caller; else the caller's own number is used
    matter_id: str = ""
    unit_id: str = ""
    key_path: str = ""
    message_path: str = ""
    was_closed: bool = False  # the caller rang out of hours
    wants_answer: bool = False  # asked for a person, chose a matter, or rang out of hours
    is_settled: bool = False  # served, or in an order already
    ten_minutes_promised: bool = False  # a specialist pressed 3
    company: str = ""  # the enterprise's name, as a seat or a chat entered it
    contact: str = ""  # whom to ask for
    offered_number: str = ""  # what else the trunk told that may be rung back; it does not say who rings

    def as_payload(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)
