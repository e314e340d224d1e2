"""What stands inside SIP header values: addresses, URIs, Via values and parameters (RFC 3261 section 25).

Values are read as bytes, because a SIP message may carry any text; nothing here writes a value anew from its parts.
Every pattern is linear in the length of its text: these values come from the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ivr.sip.text import readable

MAGIC_COOKIE = b"z9hG4bK"  # RFC 3261 8.1.1.7: a branch that begins with it identifies a transaction alone
DEFAULT_PORT = 5060

_QUOTED = rb'"(?:[^"\\]|\\.)*"'
_PIECE = re.compile(rb"(?:" + _QUOTED + rb"|<[^<>]*>|[^\",<])*", re.DOTALL)
_ADDRESS = re.compile(
    rb"(?:(?P<display>" + _QUOTED + rb"\s*|[^\"<>;,]*)<(?P<uri>[^<>]*)>|(?P<bare>[^\s<>\";,]+))\s*(?P<params>;.*)?",
    re.DOTALL,
)
_PARAM = re.compile(rb";\s*([^\s=;\",<>]+)\s*(?:=\s*(" + _QUOTED + rb"|[^\s;\"]*)\s*)?", re.DOTALL)
_URI = re.compile(
    rb"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?:(?P<user>[^@\s]*)@)?"
    rb"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:;?\s@\[\]<>\"]+)(?::(?P<port>\d{1,5}))?(?P<params>;[^?\s]*)?(?:\?[^\s]*)?"
)
_VIA = re.compile(
    rb"SIP\s*/\s*2\.0\s*/\s*(?P<transport>[A-Za-z0-9-]{1,20})\s+"
    rb"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:;,\[\]]+)\s*(?::\s*(?P<port>\d{1,5})\s*)?(?P<params>;.*)?",
    re.IGNORECASE | re.DOTALL,
)


class BadMessage(ValueError):
    """Not a SIP message that can be read safely."""


@dataclass(frozen=True, slots=True)
class Uri:
    """A SIP or tel URI; `host` is lower case without IPv6 brackets, `port` 0 when none is written."""

    scheme: str
    user: bytes
    host: str
    port: int
    params: dict[bytes, bytes]
    host_span: tuple[int, int]  # where host[:port] stands in the text


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value: how the answer to a request finds its way back."""

    transport: str
    host: str
    port: int
    params: dict[bytes, bytes]

    @property
    def branch(self) -> bytes:
        """The branch parameter, empty in a message of RFC 2543."""
        return self.params.get(b"branch", b"")


def split_values(text: bytes) -> list[bytes]:
    """Return the comma-separated values of a header; commas within quotes and angle brackets do not separate."""
    if b"," not in text:
        return [text.strip()]
    values, at = [], 0
    while True:
        piece = _PIECE.match(text, at)
        assert piece is not None  # the pattern matches the empty text
        values.append(piece.group().strip())
        at = piece.end()
        if at == len(text):
            return values
        if text[at] != 0x2C:
            raise BadMessage("a quote or bracket is not closed")
        at += 1


def params(text: bytes) -> dict[bytes, bytes]:
    """Return the parameters in `;name=value;name`, names in lower case; BadMessage for anything else."""
    values: dict[bytes, bytes] = {}
    at = 0
    while at < len(text):
        param = _PARAM.match(text, at)
        if param is None:
            raise BadMessage("parameters cannot be read")
        values.setdefault(param[1].lower(), param[2] or b"")
        at = param.end()
    return values


@lru_cache(maxsize=512)
def address(text: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the URI of a From, To, Contact or Route value, and the parameters that follow it (do not change them)."""
    parts = _ADDRESS.fullmatch(text.strip())
    if parts is None:
        raise BadMessage("an address cannot be read")
    return (parts["bare"] or parts["uri"] or b"").strip(), params(parts["params"] or b"")


@lru_cache(maxsize=512)
def uri(text: bytes) -> Uri:
    """Return the parts of a URI; BadMessage if it is none."""
    parts = _URI.fullmatch(text)
    if parts is None:
        raise BadMessage("a URI cannot be read")
    return Uri(
        parts["scheme"].decode().lower(),
        parts["user"] or b"",
        _host(parts["host"]),
        _port(parts["port"]),
        params(parts["params"] or b"") if parts["params"] else {},
        (parts.start("host"), parts.end("port") if parts["port"] else parts.end("host")),
    )


def via(text: bytes) -> Via:
    """Return the parts of one Via value; BadMessage if it is none."""
    parts = _VIA.fullmatch(text.strip())
    if parts is None:
        raise BadMessage("a Via cannot be read")
    return Via(parts["transport"].decode().lower(), _host(parts["host"]), _port(parts["port"]),
               params(parts["params"] or b""))


def user_part(text: bytes) -> str:
    """Return the user of an address for people to read: unescaped, without password and parameters, at most 64 long."""
    parts = uri(address(text)[0])
    raw = parts.user if parts.scheme in ("sip", "sips") else parts.host.encode()
    user = re.split(rb"[:;]", raw, maxsplit=1)[0]
    plain = re.sub(rb"%([0-9A-Fa-f]{2})", lambda hexed: bytes([int(hexed[1], 16)]), user)
    return readable(plain)[:64]


def host_port(text: str) -> tuple[str, int]:
    """Return host and port of `host`, `host:port` or `[ipv6]:port`; the port is 0 when none is written."""
    parts = uri(b"sip:" + text.encode())
    return parts.host, parts.port


def written(host: str, port: int) -> bytes:
    """Return `host:port` as it stands in a URI or Via."""
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()


def _host(text: bytes) -> str:
    try:
        return text.decode("ascii").strip("[]").lower()
    except UnicodeDecodeError as wrong:
        raise BadMessage("a host is not ASCII") from wrong


def _port(text: bytes | None) -> int:
    port = int(text or 0)
    if port > 65535:
        raise BadMessage("a port is above 65535")
    return port
