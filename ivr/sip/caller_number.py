"""Who rings, as the headers of an INVITE tell it: the texts in which a number may stand, the best first.

What each text means is judged by `routing/dial_rules.py`; nothing here tells a number from a name. A trunk that asserts
a number which is not to be shown (RFC 3325, `Privacy: id`) gives it to us, who are within its trust: it is used to ring
the caller back, and no call of ours passes it on, since our own number stands in each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ivr.sip.fields import BadMessage, address, params, uri
from ivr.sip.message import SipMessage

_MOST = 8  # more identities than any trunk writes
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


def caller_numbers(message: SipMessage, headers: Iterable[str]) -> tuple[str, ...]:
    """Return what the headers named (`p_asserted_identity`, …) say of the caller, in their order, each text once.

    A header that cannot be read says nothing: a caller is not lost by a fault of their trunk.
    """
    texts: dict[str, None] = {}
    for header in headers:
        for value in _values(message, header.replace("_", "-").encode()):
            texts.update(dict.fromkeys(_of_address(value)))
    return tuple(texts)[:_MOST]


def _values(message: SipMessage, header: bytes) -> list[bytes]:
    try:
        return message.values(header)
    except BadMessage:
        return []


def _of_address(value: bytes) -> Iterator[str]:
    """Yield the number in an address, first with the context that makes it whole."""
    try:
        text, of_header = address(value)
        parts = uri(text)
    except BadMessage:
        return
    if of_header.get(b"party", b"calling").lower() != b"calling":  # Remote-Party-ID may name the party called
        return
    is_tel = parts.scheme == "tel"
    # a phone that has put its number where the host belongs has no user
    raw = parts.host.encode() if is_tel or not parts.user else parts.user
    number, _, more = raw.partition(b";")
    of_number = parts.params if is_tel else _params(more)
    plain = _plain(re.split(rb"[:|]", number, maxsplit=1)[0])
    if not plain or (not is_tel and not parts.user and "." in plain):
        return
    if of_number.get(b"ext"):
        plain += ";ext=" + _plain(of_number[b"ext"])
    context = _plain(of_number.get(b"phone-context", b""))
    if context.startswith("+") and not plain.startswith("+"):
        yield context + plain
        if not context.startswith("+86"):
            return  # without it the number would be somebody's at home
    yield plain


def _params(text: bytes) -> dict[bytes, bytes]:
    try:
        return params(b";" + text) if text else {}
    except BadMessage:
        return {}


def _plain(text: bytes) -> str:
    return _ESCAPED.sub(lambda hexed: bytes([int(hexed[1], 16)]), text).decode("utf-8", "replace").strip(" ")[:64]
