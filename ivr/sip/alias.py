"""What a line sees in place of a Call-ID or tag of the network: pjsip refuses or drops many that the RFC allows."""

from __future__ import annotations

import hashlib
import re
import secrets
from functools import lru_cache

_PLAIN = re.compile(rb"[A-Za-z0-9._@-]{1,80}")
NO_TAG = b"none"  # what stands for the tag that a caller of RFC 2543 does not write
_KEY = secrets.token_bytes(16)  # so that nobody outside can write the alias of another's name


@lru_cache(maxsize=4096)
def alias(name: bytes) -> bytes:
    """Return `name` itself if any parser takes it, else a plain word that stands for it.

    An alias is its own alias: `alias(alias(x)) == alias(x)`.
    """
    if not name or _PLAIN.fullmatch(name):
        return name
    return b"x" + hashlib.blake2b(name, digest_size=16, key=_KEY).hexdigest().encode()
