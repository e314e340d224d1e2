"""What must be in place on this machine before the service starts: one list, for `hotline serve` and `hotline check`.

A schema sees what is written. Whether the file with the key is there, the variable with the password set and the
address one of this machine is seen here, before anything is started.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from ipaddress import IPv6Network, ip_address
from pathlib import Path

from config.errors import ConfigError
from config.fields import split_address
from config.settings import Settings
from config.yaml_lines import Document, Key

Missing = tuple[Key, str]
_IPV6 = 6
_IPV4_ONLY = "is IPv6, and lines speak IPv4 only: no call could use it"


def check_ready(settings: Settings, document: Document) -> None:
    """Raise ConfigError with all that is missing here, each with its cure, by file and line of the settings."""
    faults = [document.fault(key, message) for check in CHECKS for key, message in check(settings)]
    for read in _secrets(settings):
        try:
            read()
        except ConfigError as absent:  # it says by itself where the secret was looked for
            faults += absent.faults
    if faults:
        raise ConfigError(faults)


def _trunks(settings: Settings) -> Iterator[Missing]:
    if not settings.sip.trunks:
        yield ("sip", "trunks"), "no trunk is named: no call could come in, and nobody be rung"


def _families(settings: Settings) -> Iterator[Missing]:
    """Yield addresses that no call can use."""
    sip = settings.sip
    named: list[tuple[Key, str]] = [(("sip", "listen"), sip.listen), (("sip", "media_address"), sip.media_address)]
    named += [(("sip", "public_address"), sip.public_address)] if sip.public_address else []
    named += [(("sip", "trunks", place, "host"), trunk.host) for place, trunk in enumerate(sip.trunks)]
    yield from ((key, _IPV4_ONLY) for key, address in named if _is_ipv6(address))
    for place, trunk in enumerate(sip.trunks):
        for at, network in enumerate(trunk.allow):
            if isinstance(network, IPv6Network):
                yield ("sip", "trunks", place, "allow", at), _IPV4_ONLY


def _addresses(settings: Settings) -> Iterator[Missing]:
    """Yield addresses at which this machine cannot listen."""
    sip, console, city = settings.sip, settings.console, settings.notices.city_status
    named: list[tuple[Key, str]] = [(("sip", "listen"), sip.host), (("sip", "media_address"), sip.media_address)]
    named += [(("console", "listen"), console.host)] if console.enabled else []
    named += [(("notices", "city_status", "host"), city.host)] if city is not None else []
    for key, host in named:
        if message := _not_ours(host):
            yield key, message


def _certificate(settings: Settings) -> Iterator[Missing]:
    console = settings.console
    if not console.enabled or console.tls_certificate is None or console.tls_key is None:
        return
    missing = False
    for name, path in (("tls_certificate", console.tls_certificate), ("tls_key", console.tls_key)):
        if message := _unreadable(path):
            missing = True
            yield ("console", name), message
    if missing:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            console.tls_certificate, console.tls_key, password=lambda: ""
        )
    except (ssl.SSLError, OSError, ValueError) as wrong:
        reason = getattr(wrong, "reason", "") or str(wrong)
        yield ("console", "tls_certificate"), (
            f"certificate and tls_key do not serve together ({reason}): both are PEM, the key has no passphrase"
        )


def _authorities(settings: Settings) -> Iterator[Missing]:
    notices = settings.notices
    named: list[tuple[Key, Path | None]] = [
        (("notices", "webhooks", place, "ca_file"), one.ca_file) for place, one in enumerate(notices.webhooks)
    ]
    named += [(("notices", "mail", "ca_file"), notices.mail.ca_file)] if notices.mail else []
    named += [(("notices", "city_platform", "ca_file"), notices.city_platform.ca_file)] if notices.city_platform else []
    for key, path in named:
        if path is not None and (message := _unreadable(path)):
            yield key, message


def _data_dir(settings: Settings) -> Iterator[Missing]:
    folder = settings.data_dir.absolute()
    above = next(one for one in (folder, *folder.parents) if one.exists())
    if not above.is_dir():
        yield ("data_dir",), f"{above} is a file: name a folder"
    elif not os.access(above, os.W_OK | os.X_OK):
        yield ("data_dir",), f"this user may not write in {above}: chown it to them, or name another folder"


CHECKS: tuple[Callable[[Settings], Iterator[Missing]], ...] = (
    _trunks, _families, _addresses, _certificate, _authorities, _data_dir,
)  # fmt: skip


def _secrets(settings: Settings) -> Iterator[Callable[[], object]]:
    """Yield what reads each secret that the settings name."""
    notices = settings.notices
    yield settings.redis_password
    yield from (trunk.password for trunk in settings.sip.trunks)
    yield from (webhook.secret for webhook in notices.webhooks)
    yield from (receiver.secret for receiver in (notices.city_platform,) if receiver is not None)
    yield from (mail.password for mail in (notices.mail,) if mail is not None)
    yield from (city.token for city in (notices.city_status,) if city is not None)


def _is_ipv6(address: str) -> bool:
    is_bare = address.count(":") > 1 and not address.startswith("[")
    try:
        return ip_address(address if is_bare else split_address(address)[0]).version == _IPV6
    except ValueError:
        return False  # a name


def _not_ours(host: str) -> str:
    """Return why nothing can listen at an address, "" if something can; a port that is taken shows at the start."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(address)
    except socket.gaierror as wrong:
        return f"{host} names no address ({wrong.strerror}): write one of this machine's own"
    except OSError as wrong:
        if wrong.errno == errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine: `ip address` lists those it has"
        return f"nothing can listen at {host}: {wrong.strerror}"
    return ""


def _unreadable(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.read(1)
    except FileNotFoundError:
        return f"{path} is not there"
    except OSError as wrong:
        return f"{path} cannot be read: {wrong.strerror}"
    return ""
