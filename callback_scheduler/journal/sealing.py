"""Seals what a record says of people, and opens it again for whoever has the key."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from callback_scheduler.journal.event import JournalEvent, quoted
from callback_scheduler.journal.keys import KeyMissing, KeyName, Keys

_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Seal:
    """Under which key an event is sealed, and the fields of its payload, texts, that everybody may read for ever."""

    name: KeyName
    plain: tuple[str, ...] = ()


SealOf = Callable[[JournalEvent], Seal | None]  # None: nothing in the event is about a person


def body_of(event: JournalEvent, payload: bytes, seal: Seal | None, keys: Keys, was: str = "") -> bytes:
    """Return the record of an event whose payload is `payload` as JSON, sealed if there is a `seal`.

    `was` is the chain that the record had before it was sealed, "" if it always was. AES-256-GCM with a random nonce
    before the text; id, type, time and key stand outside, and are held fast by it. OSError if the key of a new day
    cannot be put on disk.
    """
    head = _head(event)
    earlier = f',"was":"{was}"'.encode() if was else b""
    if seal is None:
        return b'%s%s,"payload":%s}' % (head, earlier, payload)
    name, key = keys.for_writing(seal.name)
    nonce, named = os.urandom(_NONCE_BYTES), quoted(str(name))
    sealed = base64.b64encode(nonce + AESGCM(key).encrypt(nonce, payload, head + named))
    plain = b",".join(b'"%s":%s' % (field.encode(), quoted(str(event.payload.get(field, "")))) for field in seal.plain)
    return b'%s%s,"key":%s,"sealed":"%s","payload":{%s}}' % (head, earlier, named, sealed, plain)


def opened(body: bytes, chain: str, keys: Keys) -> JournalEvent:
    """Return the event of a record; `is_forgotten` if its key was thrown away.

    ValueError or KeyError if it is none, or its key is missing (KeyMissing) or is not the one it was sealed under.
    """
    fields = json.loads(body)
    event = JournalEvent.from_fields(fields, chain)
    if not event.is_forgotten:
        return event
    name = KeyName.read(fields["key"])
    key = keys.key(name)
    if key is None:
        return event
    sealed = base64.b64decode(fields["sealed"])
    nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        payload = AESGCM(key).decrypt(nonce, text, _head(event) + quoted(fields["key"]))
    except InvalidTag:
        raise KeyMissing(f"the key {name} in {keys.path} is not the one that this record was sealed under") from None
    return replace(event, payload=json.loads(payload), is_forgotten=False)


def chain_before_sealing(body: bytes) -> str:
    """Return the chain that a record had before it was sealed, "" if it always was."""
    return str(json.loads(body).get("was", ""))


def _head(event: JournalEvent) -> bytes:
    """Return how a record begins, which its seal holds fast."""
    at = event.at.isoformat().encode()
    return b'{"id":%s,"type":%s,"at":"%s"' % (quoted(event.event_id), quoted(event.event_type), at)
