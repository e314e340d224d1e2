"""What a line sees in place of a Call-ID or tag of the network: pjsip refuses or drops many that the RFC allows."""

from __future__ import annotations

import hashlib
import re
import secrets
from functools import lru_cache

_PLAIN = re.compile(rb"[A-Za-z0-9._-]{1,80}(@[A-Za-z0-9._-]{1,80})?")  # a Call-ID that any parser takes
NO_TAG = b"none"  # what stands for the tag that a caller of RFC 2543 does not write
_KEY = secrets.token_bytes(16)  # so that nobody outside can write the alias of another's name


@lru_cache(maxsize=4096)
def alias(call_id: bytes) -> bytes:
    """Return a Call-ID itself if any parser takes it, else a plain word that stands for it.

    An alias is its own alias: `alias(alias(x)) == alias(x)`.
    """
    return call_id if not call_id or _PLAIN.fullmatch(call_id) else _word_for(call_id)


@lru_cache(maxsize=4096)
def tag_alias(tag: bytes) -> bytes:
    """Return a tag itself if any parser takes it, else a plain word; in a tag stands no "@" (RFC 3261 25.1, token)."""
    return alias(tag) if b"@" not in tag else _word_for(tag)


def _word_for(name: bytes) -> bytes:
    return b"x" + hashlib.blake2b(name, digest_size=16, key=_KEY).hexdigest().encode()
