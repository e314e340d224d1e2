"""Keys pressed by SIP INFO, in the forms that phones and gateways send them."""

from __future__ import annotations

import re

KEY_TYPES = (b"application/dtmf-relay", b"application/dtmf", b"application/vnd.nortelnetworks.digits")
_SIGNAL = re.compile(rb"(?im)^[ \t]*(?:(?:signal|d\.d)[ \t]*=[ \t]*)?([0-9a-d*#]|1[01])[ \t]*$")
_EVENT_CODES = {b"10": b"*", b"11": b"#"}  # RFC 4733 3.2: some gateways write the event's number


def is_key(content_type: bytes) -> bool:
    """Tell whether an INFO body of this type is about a key."""
    return content_type.partition(b";")[0].strip().lower() in KEY_TYPES


def key_of(body: bytes) -> bytes | None:
    """Return the key: `5` of `5`, `Signal=5` or `d.d=5`, `*` of 10 and `#` of 11; None if there is none."""
    match = _SIGNAL.search(body.replace(b"\r", b""))
    return _EVENT_CODES.get(match[1], match[1].upper()) if match else None


def relayed(key: bytes) -> bytes:
    """Return the body, application/dtmf-relay, by which a line is told of a key."""
    return b"Signal=%s\r\nDuration=160\r\n" % key
