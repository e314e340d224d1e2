"""What every answer carries and every unsafe request must show: headers, origin, the token of its form, cookies."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from config.console import ConsoleSettings
from console.http.messages import Cookie

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),  # no-referrer would make browsers send "Origin: null" with our own forms
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
)
NOT_KEPT = ("Cache-Control", "no-store")
_A_YEAR_S = 31_536_000


class Security:
    """The rules that depend on how browsers reach the console."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        # __Host- needs https; without it we listen on loopback only, where no other host can set or read cookies
        before = "__Host-" if settings.is_secure else "hotline_"
        self.session_cookie = f"{before}session"
        self.form_cookie = f"{before}form"
        self.device_cookie = f"{before}device"
        self.language_cookie = "hotline_language"

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the headers of every answer."""
        if not self._settings.is_secure:
            return HEADERS
        return (*HEADERS, ("Strict-Transport-Security", f"max-age={_A_YEAR_S}"))

    def cookie(self, cookie: Cookie) -> str:
        """Return a Set-Cookie header."""
        age = f"; Max-Age={cookie.longest_s}" if cookie.longest_s is not None else ""
        age = age if cookie.value else "; Max-Age=0"
        flags = ("; Secure" if self._settings.is_secure else "") + ("; HttpOnly" if cookie.is_http_only else "")
        return f"{cookie.name}={cookie.value}; Path=/; SameSite=Lax{flags}{age}"

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names us: public_url, or an address; no other name, so that none is rebound to us."""
        if self._settings.public_url and host == urlsplit(self._settings.public_url).netloc:
            return True
        try:
            name = (urlsplit(f"//{host}").hostname or "") if host else ""
            if name in ("localhost", self._settings.host.lower()):
                return True
            ip_address(name)
        except ValueError:  # neither a name nor an address, or none at all
            return False
        return True

    def comes_from_us(self, headers: Mapping[str, str]) -> bool:
        """Whether an unsafe request was sent by a page of ours: Origin, or Sec-Fetch-Site where there is none."""
        origin = headers.get("origin", "")
        site = headers.get("sec-fetch-site", "")
        if site not in ("", "same-origin"):
            return False
        if origin:
            return origin in self._own_origins(headers.get("host", ""))
        return site == "same-origin"

    def own_url(self, headers: Mapping[str, str]) -> str:
        """Return the address under which whoever asks reaches us."""
        scheme = "https" if self._settings.is_secure else "http"
        return self._settings.public_url or f"{scheme}://{headers.get('host', '')}"

    def _own_origins(self, host: str) -> set[str]:
        scheme = "https" if self._settings.is_secure else "http"
        return {f"{scheme}://{host}", self._settings.public_url} - {""}


def same(sent: str, right: str) -> bool:
    """Whether two tokens are the same, in a time that tells nothing; two empty ones are not."""
    return bool(right) and hmac.compare_digest(sent.encode(), right.encode())
