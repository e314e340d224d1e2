"""Who is told what becomes of orders, as a site writes it down: webhooks, mail, the city's order platform."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from config.errors import ConfigError, Fault
from config.fields import HostPort, OptionalPath, Port, Seconds, Strict, is_loopback, secret, split_address

MIN_SECRET_CHARACTERS = 16

EventType = Literal["order_opened", "order_changed", "order_noted", "notice_given"]
PhoneNumbers = Literal["masked", "full", "left_out"]
ORDER_EVENTS: tuple[EventType, ...] = ("order_opened", "order_changed", "order_noted")
ReceiverName = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
Mailbox = Annotated[str, Field(pattern=r"^[^@\s<>,;:\"]+@[A-Za-z0-9.-]+$")]


class Retry(Strict):
    """How long to wait before an undelivered notice is tried again: doubled each time, with jitter, up to a bound.

    A receiver that is down is waited for without end. A notice that alone cannot be delivered, while its receiver took
    others after each try, is given up after `gives_up_after` such tries, and becomes a dead letter.
    """

    first_pause_s: Seconds = 1.0
    longest_pause_s: Seconds = 300.0
    gives_up_after: int = Field(default=12, ge=1, le=1000)


class HttpReceiver(Strict):
    """An HTTP address that events of orders are posted to, signed with a secret from environment or file.

    `phone_numbers` says how numbers appear in what is sent; `starts_at` where a receiver new to a site begins. TLS
    certificates are verified against the system's authorities, or against those in `ca_file`.
    """

    url: str
    key_id: str = Field(default="1", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    secret_env: str = ""
    secret_file: OptionalPath = None
    ca_file: OptionalPath = None
    allows_plain_http: bool = False
    events: tuple[EventType, ...] = Field(default=ORDER_EVENTS, min_length=1)
    phone_numbers: PhoneNumbers = "masked"
    starts_at: Literal["now", "beginning"] = "now"
    timeout_s: Seconds = 10.0
    parallel: int = Field(default=4, ge=1, le=32)

    def secret(self) -> bytes:
        """Return the key of its signatures; ConfigError if it is absent or shorter than 16 characters."""
        return _strong(self.url, secret(self.url, self.secret_env, self.secret_file)).encode()

    @model_validator(mode="after")
    def _is_safe(self) -> HttpReceiver:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url starts with https:// (or http://) and names a host")
        if parts.username or parts.password:
            raise ValueError("url carries a password: receivers know us by our signature")
        if parts.scheme == "http" and not (self.allows_plain_http or is_loopback(parts.hostname)):
            raise ValueError("url is plain http: use https, or say allows_plain_http: true if the network is trusted")
        if not (self.secret_env or self.secret_file):
            raise ValueError("secret_env or secret_file is missing: every notice is signed")
        return self


class Webhook(HttpReceiver):
    """A receiver of events in the product's own JSON."""

    name: ReceiverName


class MailSettings(Strict):
    """Digests, reminders and alarms by mail: the mail server, who sends, who gets which kinds of notices.

    Notices for one receiver are gathered for `gather_s` and sent as one mail. `units` has mailboxes by unit id.
    """

    server: HostPort
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: OptionalPath = None
    username: str = ""
    password_env: str = ""
    password_file: OptionalPath = None
    sender: Mailbox
    sender_name: str = "12345企业专席"
    units: dict[str, tuple[Mailbox, ...]] = Field(default_factory=dict)
    supervisors: tuple[Mailbox, ...] = ()
    to_units: tuple[str, ...] = (
        "new_order", "digest", "reminder", "escalation", "promise_broken", "breach", "bad_rating", "redated",
        "reassigned",
    )  # fmt: skip
    to_supervisors: tuple[str, ...] = ("supervisor_alarm", "promise_broken", "breach", "bad_rating", "redated")
    phone_numbers: PhoneNumbers = "masked"
    gather_s: float = Field(default=20.0, ge=0, le=3600)
    timeout_s: Seconds = 30.0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the mail server."""
        host, port = split_address(self.server)
        return host, port or 25

    def password(self) -> str:
        """Return the password, "" if none is named; ConfigError if the named place does not have it."""
        return secret(f"mail server {self.server}", self.password_env, self.password_file)

    @model_validator(mode="after")
    def _is_safe(self) -> MailSettings:
        if self.username and not (self.password_env or self.password_file):
            raise ValueError("username needs password_env or password_file")
        if self.username and self.security == "none" and not is_loopback(self.address[0]):
            raise ValueError("a password is never sent in the clear: security is starttls or tls")
        return self


class CityStatus(Strict):
    """The small HTTP endpoint through which the city's platform reports what became of an order."""

    host: str = "127.0.0.1"
    port: Port = 8012
    token_env: str = ""
    token_file: OptionalPath = None
    max_body_bytes: int = Field(default=16384, ge=256, le=1048576)
    max_connections: int = Field(default=16, ge=1, le=1000)
    timeout_s: Seconds = 15.0

    def token(self) -> str:
        """Return the bearer token; ConfigError if it is absent or shorter than 16 characters."""
        return _strong("city_status", secret("city_status", self.token_env, self.token_file))

    @model_validator(mode="after")
    def _is_guarded(self) -> CityStatus:
        if not (self.token_env or self.token_file):
            raise ValueError("token_env or token_file is missing: nobody may change orders without a token")
        return self


class NoticeSettings(Strict):
    """All receivers; without any, nothing is sent and nothing is kept for sending."""

    webhooks: tuple[Webhook, ...] = ()
    mail: MailSettings | None = None
    city_platform: HttpReceiver | None = None
    city_status: CityStatus | None = None
    retry: Retry = Retry()

    @model_validator(mode="after")
    def _fits(self) -> NoticeSettings:
        names = [webhook.name for webhook in self.webhooks]
        if len(set(names)) < len(names):
            raise ValueError("two webhooks have the same name")
        return self


def _strong(owner: str, value: str) -> str:
    if len(value) < MIN_SECRET_CHARACTERS:
        raise ConfigError([Fault("secrets", 0, "", f"{owner}: shorter than {MIN_SECRET_CHARACTERS} characters")])
    return value
