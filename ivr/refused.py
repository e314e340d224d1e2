"""What can be refused to somebody who acts from the console or the operator's socket."""

from __future__ import annotations

from enum import Enum
from typing import Any


class OperationRefused(Exception):
    """What was asked for is not possible now, and nothing was done.

    `text` is a Chinese sentence for people; `key` names the reason for catalogues of other languages.
    """

    def __init__(self, text: str, key: str) -> None:
        super().__init__(text)
        self.text, self.key = text, key


class Reason(Enum):
    """Why something is refused: a key and a sentence, which may take values; base of the lists of reasons."""

    text: str

    def __new__(cls, key: str, text: str) -> Any:
        member = object.__new__(cls)
        member._value_ = key
        member.text = text
        return member

    def error(self, **values: str) -> OperationRefused:
        """Return what to raise."""
        return OperationRefused(self.text.format(**values), self.value)
