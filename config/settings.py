"""The schema of hotline.yaml: what a site sets, read once at start."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, quote, urlsplit

from pydantic import Field, field_validator, model_validator

from config import yaml_lines
from config.bounds import BoundSettings
from config.console import ConsoleSettings
from config.fields import (
    PRIVATE_NETWORKS,
    FilePath,
    HostMaybePort,
    HostPort,
    Network,
    Number,
    OptionalPath,
    Pattern,
    PhoneHost,
    Port,
    Seconds,
    Strict,
    secret,
    split_address,
)
from config.hours import HoursSettings
from config.keeping import KeepingSettings
from config.ladder import LadderSettings
from config.notices import NoticeSettings
from config.number_form import CALLER_FROM, AreaCode, CallerHeader, NumberForm


class Trunk(Strict):
    """A neighbour that calls come from and go to. The first trunk is where outgoing numbers go.

    `allow` is what its messages may come from (addresses or CIDR). `register` makes the door register there, with a
    password from the environment (`password_env`) or a file (`password_file`). `caller_from` are the headers that a
    caller's number is looked for in, the best first; `number_form` how numbers are written to and fro. A trunk that
    lets its callers write whatever number they like has `trusts_caller_id: false`: then nobody changes an order by the
    number they show. `shows_caller` is where seats and specialists are shown whom they are rung for.
    """

    name: str = Field(min_length=1)
    host: HostPort
    allow: tuple[Network, ...] = Field(min_length=1)
    transport: Literal["udp", "tcp"] = "udp"
    registers: bool = Field(default=False, alias="register")
    username: str = ""
    password_env: str = ""
    password_file: OptionalPath = None
    expires_s: int = Field(default=600, ge=60, le=86400)
    caller_id: str = ""
    caller_from: tuple[CallerHeader, ...] = Field(default=CALLER_FROM, min_length=1)
    number_form: NumberForm = NumberForm()
    trusts_caller_id: bool = True
    shows_caller: Literal["p_asserted_identity", "from", "no"] = "p_asserted_identity"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, port = split_address(self.host)
        return host, port or 5060

    def password(self) -> str:
        """Return the password, "" if none is named; ConfigError if the named place does not have it."""
        return secret(f"trunk {self.name}", self.password_env, self.password_file)

    @model_validator(mode="after")
    def _can_register(self) -> Trunk:
        if self.registers and not (self.username and (self.password_env or self.password_file)):
            raise ValueError("register needs username and password_env or password_file")
        return self


class SipSettings(Strict):
    """Addresses, trunks and limits of the door.

    `phone_hosts` are where a sip: URI of the directory may lead, beside the trunks: addresses, networks, host names.
    """

    listen: HostPort = "127.0.0.1:5060"
    public_address: HostMaybePort | None = None
    media_address: str = "127.0.0.1"
    rtp_port: int = Field(default=10000, ge=1024, le=65534, multiple_of=2)
    rtp_port_range: int = Field(default=10000, ge=100)
    inner_port: Port = 0
    own_numbers: tuple[Number, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    phone_hosts: tuple[PhoneHost, ...] = PRIVATE_NETWORKS
    max_message_bytes: int = Field(default=16384, ge=1500, le=65535)
    retry_after_s: int = Field(default=10, ge=1, le=3600)

    @property
    def host(self) -> str:
        """Host of `listen`."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """Port of `listen`; 0 lets the system choose."""
        return split_address(self.listen)[1] or 0

    @model_validator(mode="after")
    def _fits(self) -> SipSettings:
        if self.rtp_port + self.rtp_port_range > 65536:
            raise ValueError("rtp_port + rtp_port_range goes beyond 65536")
        names = [trunk.name for trunk in self.trunks]
        if len(set(names)) < len(names):
            raise ValueError("two trunks have the same name")
        return self


class LineSettings(Strict):
    """How many lines there are, and when one is replaced.

    `count` is the most at work at once, `spare` how many are kept ready.
    """

    count: int = Field(default=12, ge=1, le=2000)
    spare: int = Field(default=2, ge=0, le=200)
    reserved_for_callbacks_percent: int = Field(default=10, ge=0, le=90)
    heartbeat_silence_s: Seconds = 5.0
    recycle_after_calls: int = Field(default=200, ge=1)
    recycle_after_h: float = Field(default=24.0, gt=0)


class PhoneManners(Strict):
    """What callers, seats and specialists may expect on the phone; times in seconds.

    `area_code` is the site's own, which stands before local numbers. `number_patterns` are the national numbers that
    may be rung, `extension_patterns` the short numbers of the house that seats and specialists may have beside them.
    """

    menu_enabled: bool = True
    menu_matters: tuple[str, ...] = Field(default=(), max_length=4)  # keys 1 to 4; 0 is a person
    first_digit_s: Seconds = 5.0
    between_digits_s: Seconds = 2.0
    retries: int = Field(default=2, ge=0, le=5)
    ring_s: Seconds = 18.0
    next_tier_after_s: Seconds = 12.0
    ring_all_s: Seconds = 45.0
    enterprise_ring_s: Seconds = 30.0
    waiting_word_every_s: float = Field(default=10.0, gt=0, le=25)  # the music after a word lasts 28 s
    accept_key_s: Seconds = 8.0
    seat_wait_s: Seconds = 15.0
    no_sound_s: float = Field(default=10.0, ge=0, le=3600)  # a leg that sends no RTP and no RTCP has left; 0: never
    next_seat_after_s: Seconds = 5.0  # a seat that has not answered by then has the next one ring beside it
    seat_misses_most: int = Field(default=3, ge=0, le=50)  # calls in a row not answered: the seat is away; 0: never
    wrap_up_after_call: bool = False  # else only when a seat asks for it
    wrap_up_max_s: Seconds = 120.0
    message_max_s: Seconds = 120.0
    survey_enabled: bool = True
    record_calls: bool = True
    area_code: AreaCode = "021"
    extension_patterns: tuple[Pattern, ...] = (r"[2-8]\d{1,5}", r"9\d{1,3}")
    number_patterns: tuple[Pattern, ...] = (
        r"1[3-9]\d{9}",  # mobile
        r"0(10|2\d|[3-9]\d{2})[2-8]\d{6,7}",  # landline with area code
    )

    @model_validator(mode="after")
    def _fits(self) -> PhoneManners:
        if len(set(self.menu_matters)) < len(self.menu_matters):
            raise ValueError("menu_matters names a matter twice")
        if self.ring_s > self.ring_all_s:
            raise ValueError("ring_s is longer than ring_all_s")
        return self


class PromptSettings(Strict):
    """Where prompts lie and how they are spoken."""

    directory: FilePath = Path("prompts")
    language: Literal["zh", "en"] = "zh"
    voice: str | None = None  # none: the catalogue's own
    speed_wpm: int | None = Field(default=None, ge=80, le=400)


class Settings(Strict):
    """All of hotline.yaml. Paths are relative to the file's folder, `data_dir` to the working directory."""

    data_dir: Path = Path("var")
    node_number: int = Field(default=1, ge=1, le=9)
    drain_s: float = Field(default=60.0, ge=0, le=3600)  # how long a node that is to end waits for its calls
    redis_url: str | None = None
    redis_password_env: str = ""
    redis_password_file: OptionalPath = None
    sip: SipSettings = SipSettings()
    lines: LineSettings = LineSettings()
    phone: PhoneManners = PhoneManners()
    prompts: PromptSettings = Field(default_factory=PromptSettings)
    directory_file: FilePath = Path("units.yaml")
    matters_file: FilePath = Path("matters.yaml")
    calendar_dir: FilePath = Path("calendar")
    hours: HoursSettings = HoursSettings()
    ladder: LadderSettings = LadderSettings()
    notices: NoticeSettings = NoticeSettings()
    console: ConsoleSettings = ConsoleSettings()
    keeping: KeepingSettings = KeepingSettings()
    bounds: BoundSettings = BoundSettings()

    def redis_address(self) -> str | None:
        """Return `redis_url` with its password, for the client only: never to be logged; None if Redis is our own."""
        password = self.redis_password()
        if self.redis_url is None or not password:
            return self.redis_url
        parts = urlsplit(self.redis_url)
        if parts.scheme == "unix":
            return f"{self.redis_url}{'&' if parts.query else '?'}password={quote(password, safe='')}"
        user, _, host = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()

    def redis_password(self) -> str:
        """Return the password of `redis_url`, "" if none is named; ConfigError if the named place does not have it."""
        return secret("redis", self.redis_password_env, self.redis_password_file)

    @model_validator(mode="before")
    @classmethod
    def _prompts_are_given(cls, given: Any) -> Any:
        """Validate the prompts' default too, so that its folder is the settings file's."""
        return {**given, "prompts": given.get("prompts") or {}} if isinstance(given, dict) else given

    @field_validator("redis_url")
    @classmethod
    def _names_one_redis(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if _has_password(parts):
            return url  # refused below: what is wrong with a field is told with what was given
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError("redis_url starts with redis://, rediss:// or unix://")
        _check_one_host(parts)
        return url

    @model_validator(mode="after")
    def _has_no_secret(self) -> Settings:
        if self.redis_url is not None and _has_password(urlsplit(self.redis_url)):
            raise ValueError(
                "redis_url carries a password: name an environment variable in redis_password_env, "
                "or a file in redis_password_file"
            )
        return self


def _has_password(parts: SplitResult) -> bool:
    return bool(parts.password) or "password=" in parts.query


def _check_one_host(parts: SplitResult) -> None:
    """Raise ValueError unless an address names one Redis; a cluster or Sentinels are none that we can ask."""
    if "," in parts.netloc:
        raise ValueError("redis_url names several hosts: name the one that takes the writes, or a proxy before them")
    try:
        port = parts.port
    except ValueError as wrong:
        raise ValueError(f"redis_url: {wrong}") from None
    if parts.scheme != "unix" and (not parts.hostname or port == 0):
        raise ValueError("redis_url names no host, or port 0")


def load(path: Path) -> Settings:
    """Return the settings in a YAML file; ConfigError with every bad key otherwise."""
    return yaml_lines.read(path).validate(Settings)


def create_data_dir(settings: Settings) -> Path:
    """Create `data_dir`, for this user only, and return it absolute."""
    folder = settings.data_dir.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
