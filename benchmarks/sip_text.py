"""SIP messages of the load generator: as little as its phones need, written apart from the service's own SIP code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from benchmarks.rtp import KEYS_TYPE

_REASONS = {100: "Trying", 180: "Ringing", 200: "OK", 486: "Busy Here", 487: "Request Terminated"}
_SHORT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came in. `sip_status` is 0 for a request."""

    method: str
    sip_status: int
    uri: str
    headers: dict[str, list[str]]
    body: str

    def first(self, name: str) -> str:
        """Return the first value of a header, "" without one."""
        return next(iter(self.headers.get(name, ())), "")

    @property
    def number(self) -> str:
        """The user part of the request's URI."""
        return self.uri.partition(":")[2].partition("@")[0]

    @property
    def sound(self) -> tuple[str, int, int] | None:
        """Where the sender of this message wants RTP, and the payload type of keys; None without a description."""
        host = re.search(r"^c=IN IP4 (\S+)", self.body, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", self.body, re.MULTILINE)
        keys = re.search(r"^a=rtpmap:(\d+) telephone-event/8000", self.body, re.MULTILINE)
        return (host[1], int(port[1]), int(keys[1]) if keys else KEYS_TYPE) if host and port else None


def read(datagram: bytes) -> Message:
    """Return the message in a datagram; ValueError if there is none."""
    head, separator, body = datagram.decode("utf-8", "replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    if not separator:
        raise ValueError("no end of headers")
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers.setdefault(_SHORT.get(name, name), []).append(value.strip())
    if start.startswith("SIP/2.0 "):
        method = headers["cseq"][0].split()[1]
        return Message(method, int(start.split()[1]), "", headers, body)
    method, uri, _ = start.split(" ", 2)
    return Message(method, 0, uri, headers, body)


def reply(request: Message, sip_status: int, to_tag: str = "", contact: str = "", body: str = "") -> bytes:
    """Return an answer to `request`."""
    lines = [f"SIP/2.0 {sip_status} {_REASONS[sip_status]}"]
    for name in ("via", "record-route", "from", "to", "call-id", "cseq"):
        for value in request.headers.get(name, ()):
            tagged = f"{value};tag={to_tag}" if name == "to" and to_tag and ";tag=" not in value else value
            lines.append(f"{name.title()}: {tagged}")
    if contact:
        lines.append(f"Contact: <{contact}>")
    return _whole(lines, body, "application/sdp")


def request(
    method: str, uri: str, headers: list[str], body: str = "", content_type: str = "application/sdp"
) -> bytes:
    """Return a request; `headers` are whole lines."""
    return _whole([f"{method} {uri} SIP/2.0", *headers, "Max-Forwards: 70"], body, content_type)


def _whole(lines: list[str], body: str, content_type: str) -> bytes:
    if body:
        lines = [*lines, f"Content-Type: {content_type}"]
    return "\r\n".join([*lines, f"Content-Length: {len(body.encode())}", "", body]).encode()


def description(port: int, keys_type: int = KEYS_TYPE) -> str:
    """Return a session description: G.711 A-law and keys on a port of this machine.

    An answer must give keys the payload type they have in the offer (RFC 3264 6.1).
    """
    return "\r\n".join((
        "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
        f"m=audio {port} RTP/AVP 8 {keys_type}", "a=rtpmap:8 PCMA/8000",
        f"a=rtpmap:{keys_type} telephone-event/8000", f"a=fmtp:{keys_type} 0-15", "a=ptime:20", "a=sendrecv", "",
    ))  # fmt: skip


def uri_of(header: str) -> str:
    """Return the URI in a Contact, From or To value."""
    found = re.search(r"<([^>]+)>", header)
    return found[1] if found else header.partition(";")[0].strip()
