"""Known devices: a signed cookie from an earlier log-in, by which the owner of an account is told from strangers."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path

import structlog

from console.people import json_file
from console.people.accounts import Account
from routing.clock import Clock

log = structlog.get_logger()

_FORMAT = 1
_KEY_BYTES = 32
_MOST_ACCOUNTS = 8  # of one browser: seats share a machine
_BETWEEN = "~"
_IPV6_PREFIX = 64  # what one subscriber has


class KnownDevices:
    """Signs and knows cookies; the key lies in `path`, for this user only, so that a restart makes nobody a stranger.

    A cookie proves nothing but that somebody logged in here before: it opens nothing, and is worth nothing once the
    sessions of its account were ended.
    """

    def __init__(self, path: Path, clock: Clock, valid_s: int) -> None:
        self._path, self._clock, self.valid_s = path, clock, valid_s
        self._key = secrets.token_bytes(_KEY_BYTES)

    def load(self) -> None:
        """Read the key, or put a new one on disk; blocks, and never raises: calls do not wait for a cookie."""
        try:
            content = json_file.read(self._path)
            key = bytes.fromhex(content["key"]) if content and content["format"] == _FORMAT else b""
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as wrong:
            log.warning("known_devices_not_read", file=str(self._path), error=str(wrong))
            key = b""
        if len(key) == _KEY_BYTES:
            self._key = key
            return
        try:
            json_file.write(self._path, {"format": _FORMAT, "key": self._key.hex()})
        except OSError as wrong:  # devices are known until the next restart
            log.warning("known_devices_not_written", file=str(self._path), error=str(wrong))

    def cookie(self, before: str, account: Account) -> str:
        """Return the cookie of a browser in which somebody logged in, with what it knew of others before."""
        others = [one for one in before.split(_BETWEEN) if one and not one.startswith(f"{_owner(account)}.")]
        made_at = int(self._clock.now().timestamp())
        plain = f"{_owner(account)}.{made_at}.{secrets.token_hex(4)}"
        return _BETWEEN.join([*others[-(_MOST_ACCOUNTS - 1) :], f"{plain}.{self._signature(plain, account)}"])

    def recognise(self, cookie: str, account: Account) -> str:
        """Return what names the browser if its cookie is from an earlier log-in of the account, "" otherwise."""
        for one in cookie.split(_BETWEEN)[:_MOST_ACCOUNTS]:
            plain, _, signature = one.rpartition(".")
            is_ours = plain.startswith(f"{_owner(account)}.") and one.isascii()
            if is_ours and hmac.compare_digest(signature, self._signature(plain, account)):
                made_at = int(plain.split(".")[1])
                return signature if self._clock.now().timestamp() - made_at < self.valid_s else ""
        return ""

    def _signature(self, plain: str, account: Account) -> str:
        signed = f"{account.name}\n{account.generation}\n{plain}"
        return hmac.new(self._key, signed.encode(), sha256).hexdigest()[:32]


def _owner(account: Account) -> str:
    """Return what stands for an account in a cookie: a reader of cookies learns no names."""
    return sha256(account.name.encode()).hexdigest()[:12]


def network_of(address: str) -> str:
    """Return an address as it is remembered and counted: an IPv4 address, or the network of an IPv6 subscriber."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        mapped = ip.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((ip, _IPV6_PREFIX), strict=False))
    return str(ip)
