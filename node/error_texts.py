"""What the log says of an unexpected error: where it came from, in bounded length, and no value of any variable."""

from __future__ import annotations

import traceback

LONGEST = 6000
_FRAMES = 30
_LONGEST_LINE = 400


def error_text(wrong: BaseException | None) -> str:
    """Return the innermost frames, kind and message of an error, and of those that it came of.

    Values of variables are never in it: they are the numbers and words of callers, and to write them out takes longer
    than a call may wait.
    """
    if wrong is None:
        return ""
    told = traceback.TracebackException.from_exception(wrong, limit=-_FRAMES, capture_locals=False, compact=True)
    lines = (line for part in told.format() for line in part.splitlines())
    return cut("\n".join(line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..." for line in lines))


def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text without its middle if it is longer than that: how it began, and how it ended."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 3]} ... {len(text) - longest} characters ... {text[-(longest - longest // 3) :]}"
