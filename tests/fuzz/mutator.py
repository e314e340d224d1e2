"""A mutator of SIP requests that knows their grammar: most of what it makes is nearly right, which is the worst."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_JUNK = (
    b"", b" ", b"\t", b"*", b"<>", b"<<>>", b"<sip:>", b"sip:", b"<sip:a|b@c>", b"<sip:@>", b"<tel:1>", b"<tel:+86>",
    b"<sip:\x80\xff@h>", b'"', b'"\xca\xd0\xc3\xf1" <sip:1@h>', b"\xe5\xb8\x82\xe6", b"<sip:a@[::1]>", b"<sip:a@my_h>",
    b"<sip:a@h:99999>", b"<sip:a@h:0>", b";;;", b",,,", b";lr", b"=", b"Digest =,=", b"x" * 300, b"9" * 40, b"-1", b"0",
    b"4294967296", b"abc", b"\0", b"a\0b", b"%00", b"%zz", b"<sip:a@h?Route=%3Csip:b%3E>", b"\xef\xbb\xbf", b"()",
    b"<sip:" + b"9" * 500 + b"@h>", b"a@b@c", b"SIP/2.0/UDP a_b", b"timer", b"100rel", b"1;refresher=both",
)  # fmt: skip
_NAMES = (
    b"Contact", b"Allow", b"Supported", b"Require", b"Session-Expires", b"Min-SE", b"Authorization", b"Record-Route",
    b"Route", b"P-Asserted-Identity", b"P-Preferred-Identity", b"Remote-Party-ID", b"Privacy", b"Diversion",
    b"History-Info", b"Identity", b"User-Agent", b"Date", b"Expires", b"Accept", b"Content-Disposition", b"Subject",
    b"Organization", b"Alert-Info", b"Call-Info", b"Reason", b"Replaces", b"Join", b"RAck", b"RSeq", b"Event",
    b"X-\xff",
    b"Via", b"v", b"f", b"t", b"i", b"m", b"k", b"x", b"Content-Encoding", b"Max-Forwards", b"Proxy-Require",
    b"Warning",
)  # fmt: skip
_SDP = (
    b"m=audio 0 RTP/AVP 8", b"m=audio 99999 RTP/AVP 8", b"m=audio 9 RTP/SAVP 8", b"m=image 9 udptl t38",
    b"c=IN IP6 ::1",
    b"c=IN IP4 0.0.0.0", b"c=IN IP4 999.1.1.1", b"a=inactive", b"a=sendonly", b"a=rtpmap:999 x/8000", b"a=ptime:0",
    b"a=ptime:4294967295", b"a=crypto:1 x", b"m=", b"a=rtpmap:101 telephone-event/16000", b"a=fmtp:101 0-99999",
    b"\xff",
)  # fmt: skip

_LARGEST = 60_000  # bytes; a datagram over IPv4 has 65,507 at the most

Edit = Callable[[random.Random, bytes], bytes]


def mutated(luck: random.Random, message: bytes) -> bytes:
    """Return `message` after one to four edits, as far as it fits into a datagram."""
    for _ in range(luck.choice((1, 1, 1, 2, 2, 3, 4))):
        message = luck.choice(_EDITS)(luck, message)
    return message[:_LARGEST]


def _flip(luck: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    at = luck.randrange(len(data))
    return data[:at] + bytes((luck.randrange(256),)) + data[at + 1 :]


def _insert(luck: random.Random, data: bytes) -> bytes:
    at = luck.randrange(len(data) + 1)
    return data[:at] + luck.choice((*_JUNK, b"\r\n", b"\n", b"\r", b"\r\n\r\n")) + data[at:]


def _cut(luck: random.Random, data: bytes) -> bytes:
    at = luck.randrange(len(data) + 1)
    return data[:at] + data[at + luck.choice((1, 2, 5, 20, 100)) :]


def _end_early(luck: random.Random, data: bytes) -> bytes:
    return data[: luck.randrange(len(data) + 1)]


def _replace_value(luck: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    at = luck.randrange(len(lines))
    name, colon, _ = lines[at].partition(b":")
    if colon:
        lines[at] = name + b": " + luck.choice(_JUNK)
    return b"\r\n".join(lines)


def _add_header(luck: random.Random, data: bytes) -> bytes:
    start, end, rest = data.partition(b"\r\n")
    header = luck.choice(_NAMES) + luck.choice((b": ", b":", b" : ", b":\r\n ")) + luck.choice(_JUNK)
    return start + end + (header + b"\r\n") * luck.choice((1, 1, 1, 2, 100)) + rest


def _repeat_or_drop_line(luck: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    at = luck.randrange(len(lines))
    lines[at : at + 1] = [lines[at]] * luck.choice((0, 2, 3, 50))
    return b"\r\n".join(lines)


def _shuffle(luck: random.Random, data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    start, *lines = head.split(b"\r\n")
    luck.shuffle(lines)
    return b"\r\n".join((start, *lines)) + end + body


def _odd_names(luck: random.Random, data: bytes) -> bytes:
    odd = luck.choice((b"c" * 300, b"{}[]?/", b'a"b', b"x@" + b"y" * 100, b"~!%*_+`'.-", b"a:b", b"\xff"))
    pattern = luck.choice((rb"(Call-ID: )\S+", rb"(tag=)\w+"))
    return re.sub(pattern, lambda match: match[1] + odd, data, count=1)


def _sdp(luck: random.Random, data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    lines = body.split(b"\r\n")
    lines.insert(luck.randrange(len(lines) + 1), luck.choice(_SDP))
    body = b"\r\n".join(lines)
    return re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head) + end + body


def _long(luck: random.Random, data: bytes) -> bytes:
    start, end, rest = data.partition(b"\r\n")
    return start + end + b"X-Long: " + b"l" * luck.choice((1000, 4000, 8000, 14000, 17000)) + b"\r\n" + rest


def _fold(luck: random.Random, data: bytes) -> bytes:
    blanks = [match.start() for match in re.finditer(rb" ", data)]
    if not blanks:
        return data
    at = luck.choice(blanks)
    return data[:at] + luck.choice((b"\r\n ", b"\r\n\t", b"  ", b"\t")) + data[at + 1 :]


_EDITS: tuple[Edit, ...] = (
    _flip, _flip, _insert, _cut, _end_early, _replace_value, _replace_value, _replace_value, _add_header, _add_header,
    _repeat_or_drop_line, _shuffle, _odd_names, _sdp, _sdp, _long, _fold,
)  # fmt: skip


def is_answerable_invite(original: bytes, changed: bytes) -> bool:
    """Tell whether a mutation is still an INVITE whose sender can be told something: start and top Via are whole."""
    first, _, _ = changed.lstrip(b"\r\n").partition(b"\r\n")
    via = next(line for line in original.split(b"\r\n") if line.startswith(b"Via: "))
    head = changed.lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    vias = [line for line in head.split(b"\r\n") if re.match(rb"(?i)(via|v)[ \t]*:", line)]
    is_request = re.fullmatch(rb"INVITE [^ ]+ SIP/2\.0", first) is not None
    return is_request and bool(vias) and vias[0] == via and b"\n" not in changed.replace(b"\r\n", b"")
