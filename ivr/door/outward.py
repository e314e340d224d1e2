"""Messages as the network sees them: what a line wrote, with the door's address and the network's own names; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ivr.door.exchanges import Exchange
from ivr.door.inward import INNER_HOST
from ivr.sip import sdp
from ivr.sip.answers import ALLOW, SUPPORTED
from ivr.sip.fields import BadMessage, address, uri, written
from ivr.sip.message import SipMessage

# written anew here, or of no use beyond the line
_REPLACED = frozenset((
    b"via", b"route", b"record-route", b"from", b"to", b"call-id", b"cseq", b"max-forwards", b"allow", b"supported",
    b"content-length", b"contact", b"allow-events",
))  # fmt: skip


class Shown:
    """What the network sees of the door: its address in Contact and From, and in SDP where it has a public one."""

    def __init__(self, host: str, port: int, media: str = "", media_outside: str = "") -> None:
        self._address = written(host, port)
        self._media, self._media_outside = media, media_outside

    def contact(self, message: SipMessage, transport: str) -> bytes:
        """Return the Contact a line wrote with the door's address in it, b"" if it wrote none."""
        try:
            user = uri(address(message.top(b"contact") or b"")[0]).user
        except BadMessage:
            return b""
        at = user + b"@" if user else b""
        return b"<sip:" + at + self._address + (b";transport=tcp" if transport == "tcp" else b"") + b">"

    def party(self, value: bytes) -> bytes:
        """Return a From value of a line with the door's address in place of the line's own on loopback."""
        text = address(value)[0]
        parts = uri(text)
        if parts.host.encode() != INNER_HOST:
            return value
        start, end = parts.host_span
        return value.replace(text, text[:start] + self._address + text[end:], 1)

    def body(self, message: SipMessage) -> bytes:
        """Return the body with the public media address, where there is one."""
        is_sdp = (message.first(b"content-type") or b"").lower().startswith(b"application/sdp")
        if self._media_outside and message.body and is_sdp:
            return sdp.show_address(message.body, self._media, self._media_outside)
        return message.body


def answer(message: SipMessage, exchange: Exchange, shown: Shown, transport: str) -> bytes:
    """Return a line's answer to a request of the network, which gets back all it wrote (RFC 3261 8.2.6.2, 12.1.1)."""
    to = exchange.to
    if message.to_tag and not _has_tag(to):
        to += b";tag=" + message.to_tag
    is_dialog = exchange.method == "INVITE" and 100 < message.status < 300
    headers = [
        *((b"Via", via) for via in exchange.vias),
        *((b"Record-Route", route) for route in exchange.record_routes if is_dialog),
        (b"From", exchange.from_),
        (b"To", to),
        (b"Call-ID", exchange.call_id),
        (b"CSeq", b"%d %s" % (exchange.cseq, exchange.method.encode())),
    ]
    return _whole(message.start, headers, message, shown, transport)


def request(
    message: SipMessage, target: bytes, *, via: bytes, from_: bytes, to: bytes, call_id: bytes,
    routes: Sequence[bytes], shown: Shown, transport: str,
) -> bytes:  # fmt: skip
    """Return a line's request for the network: to `target` along `routes`, in the names of the outer dialog."""
    headers = [
        (b"Via", via),
        *((b"Route", route) for route in routes),
        (b"Max-Forwards", message.first(b"max-forwards") or b"70"),
        (b"From", from_),
        (b"To", to),
        (b"Call-ID", call_id),
        (b"CSeq", b"%d %s" % (message.cseq, message.method.encode())),
    ]
    return _whole(b"%s %s SIP/2.0" % (message.method.encode(), target), headers, message, shown, transport)


def _whole(
    start: bytes, headers: Iterable[tuple[bytes, bytes]], message: SipMessage, shown: Shown, transport: str
) -> bytes:
    lines = [start, *(name + b": " + value for name, value in headers)]
    if contact := shown.contact(message, transport):
        lines.append(b"Contact: " + contact)
    if b"allow" in message.names:
        lines.append(b": ".join(ALLOW))
    if b"supported" in message.names:
        lines.append(b": ".join(SUPPORTED))
    lines += [line for line, name in zip(message.lines, message.names, strict=True) if name not in _REPLACED]
    body = shown.body(message)
    return b"\r\n".join((*lines, b"Content-Length: %d" % len(body), b"", body))


def _has_tag(value: bytes) -> bool:
    try:
        return b"tag" in address(value)[1]
    except BadMessage:
        return True
