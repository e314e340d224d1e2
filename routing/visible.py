"""How a text of others is written where it is printed: what a terminal or a reader would obey is shown instead."""

from __future__ import annotations

import re
from typing import BinaryIO, TextIO

# Control characters (C0 but for the end of a line and the tab, DEL, C1), what turns the direction of writing around or
# cannot be seen (bidi marks, embeddings, overrides, isolates; zero-width; separators of lines; tags), lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
_UNSAFE_IN_LINE = re.compile(rf"{_UNSAFE.pattern}|[\t\n]")


def visible(text: str) -> str:
    r"""Return a text in which nothing is obeyed: ESC is written \u001b, as JSON would have it; lines stay lines."""
    return _UNSAFE.sub(_written, text)


def visible_line(text: str) -> str:
    """Return a text as a part of one line: an end of line in it is written out as well."""
    return _UNSAFE_IN_LINE.sub(_written, text)


def _written(sign: re.Match[str]) -> str:
    utf16 = sign[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{utf16[at : at + 2].hex()}" for at in range(0, len(utf16), 2))


class VisibleStream:
    """Standard output, or standard error, for a command that prints texts of others: all of them are made visible."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, with nothing in it that a terminal would obey."""
        return self._stream.write(visible(text))

    def flush(self) -> None:
        """Let it be seen now."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether a person looks on."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return what the system calls it."""
        return self._stream.fileno()

    @property
    def buffer(self) -> BinaryIO:
        """Return what takes bytes: a file for machines is given as it is."""
        return self._stream.buffer

    @property
    def encoding(self) -> str:
        """How it writes letters."""
        return self._stream.encoding
