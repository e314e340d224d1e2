"""Messages as a line sees them: written anew from the few things it needs, pure.

Of what a stranger wrote nothing goes in but numbers that were read, words of short lists, and names with an alias.
pjsip drops without a word what it cannot parse, and cuts what is longer than 4,000 bytes.
"""

from __future__ import annotations

import re

from ivr.door.exchanges import Exchange
from ivr.sip import key_info
from ivr.sip.alias import NO_TAG, alias, tag_alias
from ivr.sip.answers import METHODS, REASONS
from ivr.sip.fields import BadMessage, address, uri, written
from ivr.sip.message import SipMessage

INNER_HOST = b"127.0.0.1"
SESSION_EXPIRES_S = 600  # RFC 4028: should we be gone, the trunk ends a call that nobody refreshes
_EXPIRES = re.compile(rb"\s*(\d{1,7})\s*(?:;.*)?", re.DOTALL)
_REFRESHER = re.compile(rb";\s*refresher\s*=\s*(uac|uas)\b", re.IGNORECASE)
_NUMBER = re.compile(rb"\s*(\d{1,7})\b.*", re.DOTALL)
_QUOTED = rb'"[ !#-\[\]-~]*"'
_CHALLENGE = re.compile(
    rb"\s*Digest\s+[A-Za-z]+\s*=\s*(?:" + _QUOTED + rb"|[\w./:-]+)"
    rb"(?:\s*,\s*[A-Za-z]+\s*=\s*(?:" + _QUOTED + rb"|[\w./:-]+))*\s*",
    re.IGNORECASE,
)
_LONGEST_CHALLENGE = 1000
_SAFE_USER = re.compile(rb"[A-Za-z0-9.+*_-]{1,64}")
_SAFE_HOST = re.compile(r"[a-z0-9.-]{1,128}")
_CLASSES = (b"", b"Progress", b"OK", b"Moved", b"Refused", b"Failed", b"Refused Everywhere")
_Headers = list[tuple[bytes, bytes]]


def request(message: SipMessage, *, branch: bytes, line_port: int, inner_port: int) -> bytes:
    """Return a request of the network for the line: the door seems to have sent it. The body must be safe already."""
    here = b"%s:%d" % (INNER_HOST, inner_port)
    headers: _Headers = [
        (b"Via", b"SIP/2.0/UDP %s;rport;branch=%s" % (here, branch)),
        (b"Max-Forwards", b"70"),
        (b"From", b"<sip:far@%s>" % INNER_HOST + _tag(message.from_tag or NO_TAG)),
        (b"To", b"<sip:line@%s>" % INNER_HOST + _tag(message.to_tag)),
        (b"Call-ID", alias(message.call_id)),
        (b"CSeq", b"%d %s" % (message.cseq, message.method.encode())),
    ]
    if message.method in ("INVITE", "UPDATE"):
        headers += [(b"Contact", b"<sip:far@%s>" % here), *_session(message)]
    start = b"%s sip:line@%s:%d SIP/2.0" % (message.method.encode(), INNER_HOST, line_port)
    return _whole(start, headers, message)


def bye(
    dialog: tuple[bytes, bytes], line_tag: bytes, cseq: int, *, branch: bytes, line_port: int, inner_port: int
) -> bytes:
    """Return the BYE of a caller in the `dialog` of that Call-ID and caller's tag, as aliases."""
    call_id, caller_tag = dialog
    lines = [
        b"BYE sip:line@%s:%d SIP/2.0" % (INNER_HOST, line_port),
        b"Via: SIP/2.0/UDP %s:%d;rport;branch=%s" % (INNER_HOST, inner_port, branch),
        b"Max-Forwards: 70",
        b"From: <sip:far@%s>;tag=%s" % (INNER_HOST, caller_tag),
        b"To: <sip:line@%s>;tag=%s" % (INNER_HOST, line_tag),
        b"Call-ID: " + call_id,
        b"CSeq: %d BYE" % cseq,
    ]
    return b"\r\n".join((*lines, b"Content-Length: 0", b"", b""))


def answer(message: SipMessage, exchange: Exchange, *, inner_port: int) -> bytes:
    """Return an answer of the network for the line that sent the request of `exchange`. Its body must be safe."""
    to = exchange.to
    if message.to_tag and b"tag" not in address(to)[1]:
        to += _tag(message.to_tag)
    headers: _Headers = [
        *((b"Via", via) for via in exchange.vias),
        (b"From", exchange.from_),
        (b"To", to),
        (b"Call-ID", exchange.call_id),
        (b"CSeq", b"%d %s" % (exchange.cseq, exchange.method.encode())),
    ]
    if 300 <= message.status < 400:
        headers += _elsewhere(message)
    elif exchange.method in ("INVITE", "UPDATE") and message.status < 300:
        headers += [(b"Contact", b"<sip:far@%s:%d>" % (INNER_HOST, inner_port)), *_session(message)]
    else:
        headers += [*_min_se(message), *_challenges(message)]
    return _whole(b"SIP/2.0 %d %s" % (message.status, reason(message.status)), headers, message)


def reason(status: int) -> bytes:
    """Return the usual words for a status: nobody reads the sender's, which may be in any encoding."""
    return REASONS.get(status) or _CLASSES[status // 100]


def _whole(start: bytes, headers: _Headers, message: SipMessage) -> bytes:
    if message.body:
        is_key = message.method == "INFO"
        headers.append((b"Content-Type", key_info.KEY_TYPES[0] if is_key else b"application/sdp"))
    headers.append((b"Content-Length", b"%d" % len(message.body)))
    return b"\r\n".join((start, *(name + b": " + value for name, value in headers), b"", message.body))


def _tag(tag: bytes) -> bytes:
    return b";tag=" + tag_alias(tag) if tag else b""


def _session(message: SipMessage) -> _Headers:
    """Return Session-Expires, Min-SE, Supported, Require and Allow as far as they can be read (RFC 4028)."""
    headers = _min_se(message)
    expires = _EXPIRES.fullmatch(message.first(b"session-expires") or b"")
    if expires is not None:
        refresher = _REFRESHER.search(message.first(b"session-expires") or b"")
        text = expires[1] + (b";refresher=" + refresher[1].lower() if refresher else b"")
        headers.append((b"Session-Expires", text))
    elif message.method == "INVITE" and b"timer" in words(message, b"supported"):
        headers.append((b"Session-Expires", b"%d" % SESSION_EXPIRES_S))  # asked for in the name of one who can
    for name in (b"supported", b"require"):
        if b"timer" in words(message, name):
            headers.append((name.capitalize(), b"timer"))
    methods = [method for method in METHODS if method.lower().encode() in words(message, b"allow")]
    if methods:
        headers.append((b"Allow", ", ".join(methods).encode()))
    return headers


def _min_se(message: SipMessage) -> _Headers:
    least = _NUMBER.fullmatch(message.first(b"min-se") or b"")
    return [(b"Min-SE", least[1])] if least else []


def _challenges(message: SipMessage) -> _Headers:
    """Return what a trunk asks of us before it takes a call (RFC 3261 22)."""
    return [
        (name.title(), value)
        for name in (b"www-authenticate", b"proxy-authenticate")
        for value in message.every(name)
        if len(value) <= _LONGEST_CHALLENGE and _CHALLENGE.fullmatch(value)
    ]


def _elsewhere(message: SipMessage) -> _Headers:
    """Return where a 3xx sends us, if that can be read."""
    try:
        target = uri(address(message.top(b"contact") or b"")[0])
    except BadMessage:
        return []
    if target.scheme != "sip" or not (_SAFE_USER.fullmatch(target.user) and _SAFE_HOST.fullmatch(target.host)):
        return []
    return [(b"Contact", b"<sip:" + target.user + b"@" + written(target.host, target.port or 5060) + b">")]


def words(message: SipMessage, name: bytes) -> set[bytes]:
    """Return the words of a list such as Supported, in lower case, however the rest of it looks."""
    return {word.strip().lower() for value in message.every(name) for word in value.split(b",") if word.strip()}
