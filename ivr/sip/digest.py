"""Digest credentials for a trunk that asks for them (RFC 8760: SHA-256 before MD5; RFC 7616)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

_FIELD = re.compile(rb'([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_HASHES = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}  # best first


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate that can be answered."""

    realm: str
    nonce: str
    algorithm: str
    opaque: str | None
    has_qop_auth: bool
    is_stale: bool


def best_challenge(values: Sequence[bytes]) -> Challenge | None:
    """Return the strongest challenge among header values (one header each), None if none can be answered."""
    challenges = [challenge for value in values if (challenge := _challenge(value)) is not None]
    return min(challenges, key=lambda challenge: list(_HASHES).index(challenge.algorithm), default=None)


def credentials(
    challenge: Challenge, *, username: str, password: str, method: str, uri: str, count: int, cnonce: str = ""
) -> bytes:
    """Return the value of Authorization; `count` is how often this nonce has been used, from 1."""
    make = _HASHES[challenge.algorithm]

    def digest(text: str) -> str:
        return make(text.encode()).hexdigest()

    cnonce = cnonce or secrets.token_hex(8)
    who = digest(f"{username}:{challenge.realm}:{password}")
    what = digest(f"{method}:{uri}")
    middle = f"{challenge.nonce}:{count:08x}:{cnonce}:auth" if challenge.has_qop_auth else challenge.nonce
    fields = [
        f'username="{username}"', f'realm="{challenge.realm}"', f'nonce="{challenge.nonce}"', f'uri="{uri}"',
        f'response="{digest(f"{who}:{middle}:{what}")}"', f"algorithm={challenge.algorithm}",
    ]  # fmt: skip
    if challenge.has_qop_auth:
        fields += ["qop=auth", f"nc={count:08x}", f'cnonce="{cnonce}"']
    if challenge.opaque is not None:
        fields.append(f'opaque="{challenge.opaque}"')
    return ("Digest " + ", ".join(fields)).encode()


def _challenge(value: bytes) -> Challenge | None:
    scheme, _, rest = value.strip().partition(b" ")
    if scheme.lower() != b"digest":
        return None
    fields = {
        name.lower().decode(): (quoted or plain).decode("utf-8", "replace")
        for name, quoted, plain in _FIELD.findall(rest)
    }
    algorithm = fields.get("algorithm", "MD5").upper()
    if algorithm not in _HASHES or "nonce" not in fields or "realm" not in fields:
        return None
    offered = [one.strip().lower() for one in fields.get("qop", "").split(",") if one.strip()]
    if offered and "auth" not in offered:
        return None
    return Challenge(
        fields["realm"], fields["nonce"], algorithm, fields.get("opaque"), "auth" in offered,
        fields.get("stale", "").lower() == "true",
    )  # fmt: skip
