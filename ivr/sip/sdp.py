"""Session descriptions as a line may see them: rebuilt from the little that a G.711 conversation needs.

Nothing of the sender's text goes through except numbers that were read and names out of a short list (RFC 8866, 3264).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address

MAX_MEDIA = 8
_DIRECTIONS = (b"sendrecv", b"sendonly", b"recvonly", b"inactive")
_STATIC = {8: b"PCMA", 0: b"PCMU"}
_MEDIA = re.compile(rb"(audio|video|image|text|application|message) (\d{1,5})(?:/\d+)? ([A-Za-z/]{3,24}) ([^\s]+)(.*)")
_ORIGIN = re.compile(rb"[^\s]+ (\d{1,19}) (\d{1,19}) IN IP[46] [^\s]+")
_RTPMAP = re.compile(rb"rtpmap:(\d{1,3}) ([A-Za-z0-9-]{1,32})/(\d{1,6})(?:/1)?")
_PTIME = re.compile(rb"ptime:(\d{1,3})")


class NoUsableAudio(ValueError):
    """The description offers no G.711 over plain RTP to an IPv4 address."""


class UnknownBody(NoUsableAudio):
    """The body is no description at all, or is written in a way nobody here reads."""


@dataclass(slots=True)
class _Media:
    """One m= section as far as it matters."""

    kind: bytes
    port: int
    protocol: bytes
    formats: list[bytes]
    address: bytes = b""
    direction: bytes = b""
    ptime: int = 0
    names: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class _Session:
    origin: tuple[int, int] = (0, 0)
    address: bytes = b""
    direction: bytes = b""
    media: list[_Media] = field(default_factory=list)


def rebuild(text: bytes, *, is_answer: bool = False) -> bytes:
    """Return a description made anew from address, port, PCMA/PCMU, telephone-event, ptime and direction.

    The first usable audio is kept; every other m= line stays in its place with port 0, since an answer must have as
    many as its offer (RFC 3264 6). NoUsableAudio if there is none, except in an answer: there all are refused, so that
    the line ends the call by its own rules.
    """
    session = _parse(text)
    chosen = next((media for media in session.media if _payloads(media)), None)
    address = _ipv4((chosen.address or session.address) if chosen else b"")
    if not is_answer and (chosen is None or not address):
        raise NoUsableAudio("no G.711 audio over RTP/AVP and IPv4")
    if not address:
        chosen = None
    lines = [
        b"v=0",
        b"o=- %d %d IN IP4 %s" % (*session.origin, address or b"0.0.0.0"),
        b"s=-",
        b"c=IN IP4 " + (address or b"0.0.0.0"),
        b"t=0 0",
    ]
    for media in session.media:
        lines += _audio_lines(media, session) if media is chosen else [_refused(media)]
    return b"\r\n".join(lines) + b"\r\n"


def show_address(text: bytes, inside: str, outside: str) -> bytes:
    """Return `text` with the address `inside` in its o= and c= lines replaced by `outside`; all else as it was."""
    family = b"IP6 " if ":" in outside else b"IP4 "
    return re.sub(
        rb"(?m)^((?:o=[^\r\n]* |c=)IN )IP4 " + re.escape(inside.encode()) + rb"(?=[/\s]|$)",
        lambda match: match[1] + family + outside.encode(),
        text,
    )


def find_in_multipart(content_type: bytes, body: bytes) -> bytes | None:
    """Return the application/sdp part of a multipart body (SIP-I trunks send SDP beside ISUP); None without."""
    boundary = re.search(rb'boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))', content_type, re.IGNORECASE)
    if boundary is None:
        return None
    mark = b"--" + (boundary[1] or boundary[2])
    for part in body.split(mark)[1 : MAX_MEDIA + 1]:
        head, _, content = part.partition(b"\r\n\r\n")
        if re.search(rb"(?im)^content-type\s*:\s*application/sdp\b", head):
            return content.removesuffix(b"\r\n") + b"\r\n"
    return None


def _parse(text: bytes) -> _Session:
    session = _Session()
    for line in text.splitlines():
        key, value = line[:2], line[2:]
        part: _Session | _Media = session.media[-1] if session.media else session
        if key == b"m=":
            if len(session.media) == MAX_MEDIA:
                raise NoUsableAudio("too many media lines")
            session.media.append(_media(value))
        elif key == b"c=":
            part.address = value
        elif key == b"o=":
            origin = _ORIGIN.fullmatch(value)
            session.origin = (int(origin[1]), int(origin[2])) if origin else (0, 0)
        elif key == b"a=":
            _read_attribute(part, value)
    return session


def _media(value: bytes) -> _Media:
    parts = _MEDIA.fullmatch(value)
    if parts is None:
        raise NoUsableAudio("a media line cannot be read")
    return _Media(parts[1], int(parts[2]), parts[3], [parts[4], *parts[5].split()[:31]])


def _read_attribute(part: _Session | _Media, value: bytes) -> None:
    if value in _DIRECTIONS:
        part.direction = value
    elif isinstance(part, _Media) and value.startswith(b"rtpmap:"):
        match = _RTPMAP.fullmatch(value)
        if match and int(match[1]) < 128 and match[3] == b"8000":
            part.names[int(match[1])] = match[2]
    elif isinstance(part, _Media) and (ptime := _PTIME.fullmatch(value)):
        part.ptime = int(ptime[1])


def _payloads(media: _Media) -> list[tuple[int, bytes]]:
    """Return (payload type, name) of what a line understands, in the sender's order; empty if it is no use."""
    if media.kind != b"audio" or not 0 < media.port < 65536 or media.protocol != b"RTP/AVP":
        return []
    payloads: list[tuple[int, bytes]] = []
    for text in media.formats:
        number = int(text) if text.isdigit() and len(text) <= 3 else -1
        name = _STATIC.get(number) or media.names.get(number, b"")
        if name.upper() in (b"PCMA", b"PCMU"):
            payloads.append((number, name.upper()))
        elif name.lower() == b"telephone-event":
            payloads.append((number, b"telephone-event"))
    return payloads if any(name != b"telephone-event" for _, name in payloads) else []


def _audio_lines(media: _Media, session: _Session) -> list[bytes]:
    payloads = dict(_payloads(media))
    lines = [b"m=audio %d RTP/AVP %s" % (media.port, b" ".join(b"%d" % number for number in payloads))]
    for number, name in payloads.items():
        lines.append(b"a=rtpmap:%d %s/8000" % (number, name))
        if name == b"telephone-event":
            lines.append(b"a=fmtp:%d 0-16" % number)
    if 10 <= media.ptime <= 60:
        lines.append(b"a=ptime:%d" % media.ptime)
    lines.append(b"a=" + (media.direction or session.direction or b"sendrecv"))
    return lines


def _refused(media: _Media) -> bytes:
    form = media.formats[0] if re.fullmatch(rb"[A-Za-z0-9-]{1,16}", media.formats[0]) else b"0"
    return b"m=%s 0 %s %s" % (media.kind, media.protocol, form)


def _ipv4(connection: bytes) -> bytes:
    """Return the address in the value of a c= line, empty if it is no single IPv4 address."""
    kind, _, address = connection.strip().rpartition(b" ")
    try:
        return str(IPv4Address(address.decode())).encode() if kind == b"IN IP4" else b""
    except (AddressValueError, UnicodeDecodeError):
        return b""
