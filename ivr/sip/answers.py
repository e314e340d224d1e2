"""Messages the door writes itself: answers, and requests within a dialog whose line has died."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from ivr.sip.fields import MAGIC_COOKIE, address
from ivr.sip.message import SipMessage

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE")
ALLOW = (b"Allow", ", ".join(METHODS).encode())
SUPPORTED = (b"Supported", b"timer")
REASONS = {
    100: b"Trying", 180: b"Ringing", 181: b"Call Is Being Forwarded", 182: b"Queued", 183: b"Session Progress",
    200: b"OK", 302: b"Moved Temporarily", 400: b"Bad Request", 401: b"Unauthorized", 403: b"Forbidden",
    404: b"Not Found", 405: b"Method Not Allowed", 406: b"Not Acceptable", 407: b"Proxy Authentication Required",
    408: b"Request Timeout", 410: b"Gone", 413: b"Request Entity Too Large", 415: b"Unsupported Media Type",
    416: b"Unsupported URI Scheme", 420: b"Bad Extension", 421: b"Extension Required",
    422: b"Session Interval Too Small", 480: b"Temporarily Unavailable", 481: b"Call/Transaction Does Not Exist",
    482: b"Loop Detected", 483: b"Too Many Hops", 484: b"Address Incomplete", 485: b"Ambiguous", 486: b"Busy Here",
    487: b"Request Terminated", 488: b"Not Acceptable Here", 491: b"Request Pending", 500: b"Server Internal Error",
    501: b"Not Implemented", 502: b"Bad Gateway", 503: b"Service Unavailable", 504: b"Server Time-out",
    505: b"Version Not Supported", 513: b"Message Too Large", 600: b"Busy Everywhere", 603: b"Decline",
    604: b"Does Not Exist Anywhere", 606: b"Not Acceptable",
}  # fmt: skip
Header = tuple[bytes, bytes]


def own_tag(message: SipMessage, secret: bytes) -> bytes:
    """Return the To-tag of the door's own answer to a request: the same each time, since nothing is kept of it."""
    text = b"\0".join((message.call_id, message.from_tag, b"%d" % message.cseq))
    return hashlib.blake2b(text, digest_size=8, key=secret).hexdigest().encode()


def answer(request: SipMessage, status: int, tag: bytes, headers: Sequence[Header] = ()) -> bytes:
    """Return an answer to `request` (RFC 3261 8.2.6); `tag` is added to a To that has none.

    What a faulty request lacks its answer lacks too.
    """
    lines = [b"SIP/2.0 %d %s" % (status, REASONS.get(status, b"Refused"))]
    lines += [b"Via: " + value for value in request.every(b"via")]
    for name in (b"From", b"To", b"Call-ID", b"CSeq"):
        value = request.first(name.lower())
        if value and name == b"To" and tag and not _has_tag(value):
            value += b";tag=" + tag
        if value:
            lines.append(name + b": " + value)
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
