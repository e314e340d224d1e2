"""Kinds of values that stand in hotline.yaml: addresses, paths, numbers, where a secret lies."""

from __future__ import annotations

import os
import re
from datetime import time
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from config.errors import ConfigError, Fault

_HERE = Path(__file__).parent
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(?P<port>\d{1,5}))?")


def split_address(address: str) -> tuple[str, int | None]:
    """Return host (IPv6 without brackets) and port of `host[:port]`; ValueError if it is none."""
    parts = _ADDRESS.fullmatch(address)
    if parts is None or int(parts["port"] or 0) > 65535:
        raise ValueError("an address is written host:port, such as 10.0.0.5:5060 or [2001:db8::5]:5060")
    return parts["host"].strip("[]"), int(parts["port"]) if parts["port"] else None


def _with_port(address: str) -> str:
    if split_address(address)[1] is None:
        raise ValueError("the port is missing: host:port")
    return address


def _maybe_port(address: str) -> str:
    split_address(address)
    return address


def _beside_file(path: Path, info: ValidationInfo) -> Path:
    """Make a path absolute: relative to the settings file's folder, or to this package when there is no file."""
    folder = (info.context or {}).get("folder", _HERE)
    return Path(os.path.abspath(Path(folder) / path))


def _network(written: Any) -> Any:
    if not isinstance(written, str):
        return written
    try:
        return ip_network(written)
    except ValueError as wrong:
        raise ValueError(f"is no address or network such as 10.0.0.5 or 10.0.0.0/8: {wrong}") from wrong


def _phone_host(written: Any) -> Any:
    """Return a network, or a host name in small letters."""
    if not isinstance(written, str):
        return written
    try:
        return ip_network(written)
    except ValueError:
        return _maybe_port(written).lower()


def _time_of_day(written: Any) -> Any:
    """Undo YAML 1.1, which reads an unquoted 17:00 as the number 1020 (and leaves 08:45 a text)."""
    if isinstance(written, int) and 0 <= written < 24 * 60:
        return time(*divmod(written, 60))
    return written


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as wrong:
        raise ValueError(f"is no regular expression: {wrong}") from wrong
    return text


HostPort = Annotated[str, AfterValidator(_with_port)]
HostMaybePort = Annotated[str, AfterValidator(_maybe_port)]
Pattern = Annotated[str, AfterValidator(_pattern)]
OptionalPath = Annotated[Path, AfterValidator(_beside_file)] | None
FilePath = Annotated[Path, AfterValidator(_beside_file), Field(validate_default=True)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
PhoneHost = Annotated[IPv4Network | IPv6Network | str, BeforeValidator(_phone_host)]
PRIVATE_NETWORKS: tuple[IPv4Network | IPv6Network | str, ...] = tuple(
    ip_network(each) for each in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
Number = Annotated[str, Field(pattern=r"^\+?[0-9]{2,15}$")]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Strict(BaseModel):
    """A part of the settings: cannot be changed, knows every key."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, populate_by_name=True)


def secret(owner: str, variable: str, file: Path | None) -> str:
    """Return what an environment variable or a file holds, "" if neither is named; ConfigError if it is absent."""
    if variable:
        if variable not in os.environ:
            raise ConfigError([Fault("environment", 0, variable, f"is not set; {owner} needs it")])
        return os.environ[variable]
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as wrong:
        raise ConfigError([Fault(str(file), 0, "", f"the password of {owner} cannot be read: {wrong}")]) from wrong


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, and nobody else can listen on the way."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
