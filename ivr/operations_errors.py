"""What can be refused to somebody who acts from the console or the operator's socket."""

from __future__ import annotations


class OperationRefused(Exception):
    """What was asked for is not possible now, and nothing was done.

    `text` is a Chinese sentence for people; `key` names the reason for catalogues of other languages.
    """

    def __init__(self, text: str, key: str) -> None:
        super().__init__(text)
        self.text, self.key = text, key
