"""The edits a message gets on its way through the door (RFC 3261 section 16); pure, byte for byte."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from ivr.sip import sdp
from ivr.sip.fields import DEFAULT_PORT, MAGIC_COOKIE, BadMessage, Uri, Via, address, uri, via, written
from ivr.sip.message import SipMessage
from ivr.sip.sockets import Hop, is_numeric

INNER_HOST = "127.0.0.1"
_RPORT = re.compile(rb";\s*rport\s*(?:=\s*[^\s;]*\s*)?(?=;|$)", re.IGNORECASE)
_RECEIVED = re.compile(rb";\s*received\s*=\s*[^\s;]*\s*(?=;|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the door is: what the network is shown, and its port on loopback; `ours` holds every name it answers to."""

    outer_host: str
    outer_port: int
    inner_port: int
    ours: frozenset[tuple[str, int]]

    @property
    def inner_uri(self) -> str:
        """What a line uses as its outbound proxy."""
        return f"sip:{INNER_HOST}:{self.inner_port};lr"

    def via(self, transport: str, branch: bytes) -> bytes:
        """What stands in a Via of the door for the network."""
        own = written(self.outer_host, self.outer_port)
        return b"SIP/2.0/%s %s;rport;branch=%s" % (transport.upper().encode(), own, branch)

    def is_ours(self, parts: Uri | Via) -> bool:
        """Tell whether a URI or Via names the door."""
        return (parts.host, parts.port or DEFAULT_PORT) in self.ours


def stamp_source(message: SipMessage, source: Hop) -> None:
    """Write into the top Via where the request really came from (RFC 3261 18.2.1, RFC 3581).

    Over TCP the source port is always written, since the answer goes back over the same connection.
    """
    top, parts = message.top(b"via"), message.via
    if top is None or parts is None:
        raise BadMessage("Via missing")
    stamped = _RECEIVED.sub(b"", top) if b"received" in parts.params else top
    if b"rport" in parts.params or source.transport == "tcp":
        stamped = _RPORT.sub(b"", stamped) + b";rport=%d" % source.port
    if parts.host != source.host or stamped is not top:
        stamped += b";received=" + source.host.encode()
        message.replace_top(b"via", stamped)


def way_back(top: bytes) -> tuple[Hop, Hop]:
    """Return where the answer to a request with this top Via goes, and where instead if that connection has gone."""
    parts = via(top)
    host = parts.params.get(b"received", b"").decode("ascii", "replace").strip("[]") or parts.host
    rport = parts.params.get(b"rport", b"")
    port = parts.port or DEFAULT_PORT
    transport = "tcp" if parts.transport == "tcp" else "udp"
    seen = int(rport) if rport.isdigit() and len(rport) <= 5 else port
    return Hop(transport, host, seen), Hop(transport, host, port)


def branch_of(message: SipMessage, secret: bytes) -> bytes:
    """Return our branch for a request: the same for its retransmissions, its CANCEL and the ACK of its refusal.

    RFC 3261 16.11. For requests of RFC 2543 the whole Via and the From-tag stand in for a branch.
    """
    branch = message.via.branch if message.via else b""
    if not branch.startswith(MAGIC_COOKIE) or len(branch) <= len(MAGIC_COOKIE):
        branch = (message.top(b"via") or b"") + message.from_tag
    sent_by = f"{message.via.host}:{message.via.port}".encode() if message.via else b""
    text = b"\0".join((branch, sent_by, message.call_id, b"%d" % message.cseq))
    return MAGIC_COOKIE + hashlib.blake2b(text, digest_size=12, key=secret).hexdigest().encode()


def count_hop(message: SipMessage) -> bool:
    """Lower Max-Forwards by one (70 if missing); False if it was 0 or is no number."""
    left = message.first(b"max-forwards")
    if left is None:
        message.set(b"max-forwards", b"70")
        return True
    if not left.isdigit() or len(left) > 4 or int(left) == 0:
        return False
    message.set(b"max-forwards", b"%d" % (int(left) - 1))
    return True


def pop_our_routes(message: SipMessage, addresses: Addresses) -> None:
    """Take the door's own values off the Route (RFC 3261 16.4); two of them after double Record-Route."""
    while (top := message.top(b"route")) is not None and addresses.is_ours(uri(address(top)[0])):
        message.pop(b"route")


def routes_beyond(message: SipMessage) -> tuple[bytes, ...]:
    """Return the Route values to who gave this answer: its Record-Routes, the last one first (RFC 3261 12.1.2)."""
    return tuple(reversed(readable_routes(message)))


def readable_routes(message: SipMessage) -> list[bytes]:
    """Return the Record-Route values of a message; none if they cannot be told apart."""
    try:
        return message.values(b"record-route")
    except BadMessage:
        return []


def make_body_safe(message: SipMessage, *, is_answer: bool) -> None:
    """Rebuild the SDP a message carries toward a line; sdp.NoUsableAudio if it is of no use.

    A multipart body is replaced by its SDP, or left out, as is a body of another kind. An INVITE with one has no
    usable audio.
    """
    if not message.body:
        return
    kind = (message.first(b"content-type") or b"").lower().partition(b";")[0].strip()
    if b"content-encoding" in message.names:
        raise sdp.UnknownBody("the body is encoded")
    if kind.startswith(b"multipart/"):
        part = sdp.find_in_multipart(message.first(b"content-type") or b"", message.body)
        kind = b"application/sdp" if part else b""
        message.body = part or b""
        message.set(b"content-type", kind) if part else message.drop(b"content-type")
    if kind == b"application/sdp":
        message.set_body(sdp.rebuild(message.body, is_answer=is_answer))
    elif message.method == "INVITE" and kind:
        raise sdp.UnknownBody("the body is no SDP")
    else:
        message.set_body(b"")


def next_hop(message: SipMessage) -> tuple[str, str, int]:
    """Return transport, host and port a request goes to: its first Route, else its Request-URI (RFC 3261 16.6)."""
    top = message.top(b"route")
    return hop_of(address(top)[0] if top is not None else message.uri)


def hop_of(text: bytes) -> tuple[str, str, int]:
    """Return transport, host and port a SIP URI names; BadMessage if it is no sip: URI."""
    parts = uri(text)
    if parts.scheme != "sip":
        raise BadMessage("no sip: URI")
    host = parts.params.get(b"maddr", b"").decode("ascii", "replace") or parts.host
    transport = "tcp" if parts.params.get(b"transport", b"").lower() == b"tcp" else "udp"
    return transport, host, parts.port or DEFAULT_PORT


def routable(text: bytes) -> bool:
    """Tell whether a Contact URI names an address that a request can be sent to without asking DNS."""
    try:
        return is_numeric(hop_of(text)[1])
    except BadMessage:
        return False
