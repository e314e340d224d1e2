"""What the door answers by itself, so that no line needs to understand it: extensions, pings, glare, keys by INFO."""

from __future__ import annotations

import re

from ivr.door.dialogs import Dialog
from ivr.door.inward import words
from ivr.sip import key_info
from ivr.sip.answers import ALLOW, SUPPORTED, Header
from ivr.sip.message import SipMessage

Refusal = tuple[int, tuple[Header, ...]]

ACCEPT = (b"Accept", b"application/sdp")
_SERVED = {b"timer"}  # RFC 4028
_TOKEN = re.compile(rb"[a-z0-9.!%*_+`'~-]{1,64}")
_MEDIA_TYPE = re.compile(rb"[a-z0-9.!%*_+`'~-]+/[a-z0-9.!%*_+`'~-]+")
_GLARE_PAUSE = (b"Retry-After", b"3")  # RFC 3261 14.2: between 0 and 10 s


def to_options() -> Refusal:
    """Return the answer to OPTIONS, in a dialog or not: carriers ping so."""
    return 200, (ALLOW, SUPPORTED, ACCEPT)


def bad_extension(message: SipMessage) -> Refusal | None:
    """Return the refusal of a request that asks for an extension nobody here serves (RFC 3261 8.2.2.3, 16.3)."""
    if message.method in ("ACK", "CANCEL"):
        return None
    asked = (words(message, b"require") - _SERVED) | words(message, b"proxy-require")
    if not asked:
        return None
    named = b", ".join(sorted(word for word in asked if _TOKEN.fullmatch(word)))
    return 420, ((b"Unsupported", named or b"unknown"),)


def accepts_sdp(message: SipMessage) -> bool:
    """Tell whether a caller can read our answer; an Accept that names no type at all says nothing (RFC 3261 20.1)."""
    types = {word.partition(b";")[0].strip() for word in words(message, b"accept")}
    types = {kind for kind in types if _MEDIA_TYPE.fullmatch(kind)}
    return not types or bool(types & {b"application/sdp", b"application/*", b"*/*"})


def within_dialog(message: SipMessage, dialog: Dialog, now: float) -> Refusal | None:
    """Return what the door answers to a request of the outside party; None if it is for the line.

    A key by INFO is brought into the one form that a line knows.
    """
    if message.method == "OPTIONS":
        return to_options()
    if message.method == "INFO":
        return _info(message)
    if message.method == "INVITE" or (message.method == "UPDATE" and message.body):
        if dialog.exchanges.is_open("INVITE", now, is_from_line=True):
            return 491, ()
        if message.method == "INVITE" and dialog.exchanges.is_open("INVITE", now, is_from_line=False):
            return 500, (_GLARE_PAUSE,)
    return None


def _info(message: SipMessage) -> Refusal | None:
    kind = message.first(b"content-type") or b""
    if not key_info.is_key(kind):
        nothing_to_refuse = not message.body
        return (200, ()) if nothing_to_refuse else (415, ((b"Accept", b", ".join(key_info.KEY_TYPES)),))
    key = key_info.key_of(message.body)
    if key is None:
        return 200, ()
    message.set_body(key_info.relayed(key))
    return None
