"""What callers ring about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Matter:
    """A matter, and where it goes.

    `code` is what a seat keys after `*`. `is_direct`: the line rings the specialists itself, no seat in between.
    `belongs_elsewhere` is the number or URI of another service that this matter goes to (涉法、涉诉、投诉), called
    `elsewhere_name`; such a matter has no unit of ours (`unit_id` is "").
    """

    matter_id: str
    name: str
    aliases: tuple[str, ...]
    code: str
    unit_id: str
    is_direct: bool = False
    belongs_elsewhere: str | None = None
    elsewhere_name: str = ""

    def is_called(self, words: str) -> bool:
        """Return whether `words` is part of the name or of an alias (pinyin and abbreviations among them)."""
        sought = words.strip().casefold()
        return bool(sought) and any(sought in name.casefold() for name in (self.name, *self.aliases))
