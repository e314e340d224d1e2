"""The part of hotline.yaml about the web console: where it listens, behind what, and how patient it is."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from config.fields import HostPort, Network, OptionalPath, Seconds, Strict, is_loopback, split_address


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/")):
        raise ValueError("an address such as https://console.example.org, without a path")
    return url.rstrip("/")


class Lockout(Strict):
    """After so many failed log-ins comes a pause, doubled with each further failure.

    A device is known, and waits for its own failures only, for `known_device_days` after a log-in.
    """

    account_tries: int = Field(default=5, ge=2, le=100)
    address_tries: int = Field(default=20, ge=2, le=10_000)
    first_pause_s: float = Field(default=30.0, gt=0, le=3600)
    longest_pause_s: float = Field(default=3600.0, gt=0, le=86_400)
    forgets_after_s: float = Field(default=86_400.0, gt=0)
    known_device_days: int = Field(default=180, ge=1, le=400)


class ConsoleSettings(Strict):
    """Where the console listens and whom it trusts.

    `public_url` is what people type, if it is not the address of `listen`. `behind_proxy` are the addresses of proxies
    that speak TLS for it: only their word on a client's address is taken.
    """

    enabled: bool = False
    listen: HostPort = "127.0.0.1:8080"
    public_url: Annotated[str, AfterValidator(_origin)] = ""
    tls_certificate: OptionalPath = None
    tls_key: OptionalPath = None
    behind_proxy: tuple[Network, ...] = ()
    session_idle_s: int = Field(default=1800, ge=60, le=86_400)
    session_longest_s: int = Field(default=43_200, ge=60, le=604_800)
    first_token_valid_s: int = Field(default=86_400, ge=60, le=604_800)
    lockout: Lockout = Lockout()
    api_per_s: float = Field(default=20.0, gt=0, le=10_000)  # requests of one token, steadily
    api_burst: int = Field(default=60, ge=1, le=100_000)  # and at once
    metrics_from: tuple[Network, ...] = ()  # who may read /metrics without a token
    max_connections: int = Field(default=1000, ge=10)
    max_connections_per_address: int = Field(default=400, ge=10)
    max_body_bytes: int = Field(default=1024 * 1024, ge=16_384)
    head_s: Seconds = 10.0  # a request's first lines must be there by then
    body_s: Seconds = 30.0  # and the rest of it by then
    idle_s: Seconds = 60.0  # between two requests
    answer_s: Seconds = 60.0

    @property
    def host(self) -> str:
        """Host of `listen`."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """Port of `listen`; 0 lets the system choose."""
        return split_address(self.listen)[1] or 0

    def may_read_metrics(self, address: str) -> bool:
        """Whether an address needs no token for /metrics."""
        try:
            return any(ip_address(address) in network for network in self.metrics_from)
        except ValueError:
            return False

    @property
    def has_tls(self) -> bool:
        """Whether the console itself speaks TLS."""
        return self.tls_certificate is not None

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by https, from us or from a proxy."""
        return self.has_tls or bool(self.behind_proxy)

    @model_validator(mode="after")
    def _fits(self) -> ConsoleSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are given together or not at all")
        if not self.is_secure and not is_loopback(self.host):
            raise ValueError(
                "passwords would cross the network in plain text: listen on 127.0.0.1, or give tls_certificate and "
                "tls_key, or name the proxies that speak TLS in behind_proxy"
            )
        if self.public_url.startswith("http:") and self.is_secure:
            raise ValueError("public_url is http:, but browsers reach the console by https")
        if self.session_idle_s > self.session_longest_s:
            raise ValueError("session_idle_s is longer than session_longest_s")
        return self
