"""Messages the door writes itself: answers, and requests within a dialog whose line has died."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from ivr.sip.fields import MAGIC_COOKIE, address
from ivr.sip.message import SipMessage

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "PRACK")
ALLOW = (b"Allow", ", ".join(METHODS).encode())
_REASONS = {
    100: b"Trying", 200: b"OK", 400: b"Bad Request", 405: b"Method Not Allowed", 416: b"Unsupported URI Scheme",
    481: b"Call/Transaction Does Not Exist", 482: b"Loop Detected", 483: b"Too Many Hops",
    486: b"Busy Here", 487: b"Request Terminated",
    488: b"Not Acceptable Here", 500: b"Server Internal Error", 503: b"Service Unavailable",
    505: b"Version Not Supported", 513: b"Message Too Large",
}  # fmt: skip
Header = tuple[bytes, bytes]


def own_tag(message: SipMessage, secret: bytes) -> bytes:
    """Return the To-tag of the door's own answer to a request: the same each time, since nothing is kept of it."""
    text = b"\0".join((message.call_id, message.from_tag, b"%d" % message.cseq))
    return hashlib.blake2b(text, digest_size=8, key=secret).hexdigest().encode()


def answer(request: SipMessage, status: int, tag: bytes, headers: Sequence[Header] = ()) -> bytes:
    """Return an answer to `request` (RFC 3261 8.2.6); `tag` is added to a To that has none."""
    to = request.first(b"to") or b""
    if tag and not _has_tag(to):
        to += b";tag=" + tag
    lines = [b"SIP/2.0 %d %s" % (status, _REASONS.get(status, b"Refused"))]
    lines += [b"Via: " + value for value in request.values(b"via")]
    lines += [
        b"From: " + (request.first(b"from") or b""),
        b"To: " + to,
        b"Call-ID: " + (request.first(b"call-id") or b""),
        b"CSeq: " + (request.first(b"cseq") or b""),
    ]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join((*lines, b"Content-Length: 0", b"", b""))


def new_branch() -> bytes:
    """Return a branch for a request of the door's own."""
    return MAGIC_COOKIE + secrets.token_hex(12).encode()


def request(
    method: str, target: bytes, headers: Sequence[Header], *, call_id: bytes, cseq: int, routes: Sequence[bytes] = ()
) -> bytes:
    """Return a request without body; `headers` are Via, From, To and what else it needs."""
    lines = [method.encode() + b" " + target + b" SIP/2.0"]
    lines += [name + b": " + value for name, value in headers]
    lines += [b"Route: " + value for value in routes]
    lines += [b"Call-ID: " + call_id, b"CSeq: %d %s" % (cseq, method.encode()), b"Max-Forwards: 70"]
    return b"\r\n".join((*lines, b"Content-Length: 0", b"", b""))


def after_invite(method: str, invite: SipMessage, to: bytes = b"") -> bytes:
    """Return the CANCEL of an INVITE the door sent, or the ACK of its refusal (RFC 3261 9.1, 17.1.1.3)."""
    headers = [
        (b"Via", invite.top(b"via") or b""),
        (b"From", invite.first(b"from") or b""),
        (b"To", to or invite.first(b"to") or b""),
    ]
    return request(
        method, invite.uri, headers, call_id=invite.call_id, cseq=invite.cseq, routes=invite.values(b"route")
    )


def _has_tag(value: bytes) -> bool:
    try:
        return b"tag" in address(value)[1]
    except ValueError:
        return True  # cannot be read: given back as it came
