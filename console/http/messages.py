"""What comes in and goes out as plain records, free of sockets: uploads, cookies, responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

HTML, JSON, PLAIN = "text/html; charset=utf-8", "application/json; charset=utf-8", "text/plain; charset=utf-8"
# Takes the Twisted request, and writes and finishes it in its own time: event streams, files.
Stream = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to be set; without a value it is taken away."""

    name: str
    value: str = ""
    longest_s: int | None = None
    is_http_only: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: `body`, or a `stream` that writes by itself. `flash` is a word shown on the next page."""

    status: int = 200
    body: bytes = b""
    content_type: str = HTML
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[Cookie, ...] = ()
    stream: Stream | None = None
    flash: str = ""

    def saying(self, flash: str) -> Response:
        """Return this response with a word for the next page."""
        return replace(self, flash=flash)

    def with_cookie(self, cookie: Cookie) -> Response:
        """Return this response with one more cookie."""
        return replace(self, cookies=(*self.cookies, cookie))
