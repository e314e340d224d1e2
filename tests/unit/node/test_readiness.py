"""What the service cannot start with is said before it starts, by check as by serve, with the cure."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.error import CannotListenError

import config
import hotline
from callback_scheduler import errors
from config.errors import ConfigError
from node.ways_out import what_to_do

SAMPLE = Path(config.__file__).parent
CONSOLE = "console:\n  enabled: true\n  listen: 127.0.0.1:0\n"
TLS = CONSOLE + "  tls_certificate: server.pem\n  tls_key: server.key\n"


def site(folder: Path, change: Callable[[str], str] = str, units: Callable[[str], str] = str) -> Path:
    """Return the settings of a copy of the sample, with another text of settings and units."""
    for name in ("matters.yaml", "units.yaml"):
        shutil.copy(SAMPLE / name, folder)
    for name in ("calendar", "prompts"):
        (folder / name).symlink_to(SAMPLE / name)
    (folder / "units.yaml").write_text(units((SAMPLE / "units.yaml").read_text(encoding="utf-8")), encoding="utf-8")
    text = (SAMPLE / "hotline.yaml").read_text(encoding="utf-8").replace("data_dir: var", f"data_dir: {folder / 'var'}")
    (folder / "hotline.yaml").write_text(change(text), encoding="utf-8")
    return folder / "hotline.yaml"


@pytest.fixture(params=["check", "serve"])
def refused(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], str]:
    """What check, or serve, says of settings that it refuses."""

    def run(settings: Path) -> str:
        assert hotline.main([request.param, "--config", str(settings)]) == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        if request.param == "serve":
            assert f"what to do: {what_to_do(ConfigError([]))}" in said
        return said

    return run


def replaced(before: str, after: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert before in text
        return text.replace(before, after, 1)

    return change


def added(more: str) -> Callable[[str], str]:
    return lambda text: text + more


REDIS, USER = "# redis_url: redis://10.0.0.7:6379/0", "      username: a\n      password_env: HOTLINE_NOT_SET\n"
LISTEN, MEDIA = "listen: 127.0.0.1:5060", "media_address: 127.0.0.1"
REFUSED: dict[str, tuple[Callable[[str], str], str]] = {
    "an address of another machine": (replaced(LISTEN, "listen: 192.0.2.9:5060"), "192.0.2.9 is no address of this"),
    "media at another machine": (replaced(MEDIA, "media_address: 192.0.2.9"), "192.0.2.9 is no address of this"),
    "a name that is none": (replaced(MEDIA, "media_address: nowhere.invalid"), "nowhere.invalid names no address"),
    "IPv6 for calls": (replaced(LISTEN, "listen: '[::1]:5060'"), "lines speak IPv4 only"),
    "IPv6 for media": (replaced(MEDIA, "media_address: '::1'"), "lines speak IPv4 only"),
    "IPv6 to a trunk": (replaced("host: 127.0.0.1:5080", "host: '[2001:db8::5]:5060'"), "lines speak IPv4 only"),
    "IPv6 from a trunk": (replaced("allow: [127.0.0.0/8]", "allow: [127.0.0.0/8, '2001:db8::/32']"), "IPv4 only"),
    "a password that is not set": (
        replaced("      # register: true", USER + "      register: true"),
        "HOTLINE_NOT_SET: is not set; trunk loopback needs it",
    ),
    "a password of Redis that is not set": (
        replaced(REDIS, "redis_url: redis://10.0.0.7/0\nredis_password_env: NOT_SET #"),
        "NOT_SET: is not set; redis needs it",
    ),
    "two hosts of Redis": (
        replaced(REDIS, "redis_url: redis://10.0.0.1:6379,10.0.0.2:6380/0 #"),
        "redis_url names several hosts",
    ),
    "a port of Redis that is none": (
        replaced(REDIS, "redis_url: redis://10.0.0.1:port/0 #"), "Port could not be cast",
    ),
    "no certificate": (added(TLS), "server.pem is not there"),
    "a console elsewhere": (
        added(TLS.replace("127.0.0.1:0", "192.0.2.9:8443")), "192.0.2.9 is no address of this machine",
    ),
    "a receiver's authorities": (
        added("notices:\n  mail: {server: '127.0.0.1:25', sender: a@example.org, ca_file: gone.pem}\n"),
        "gone.pem is not",
    ),
    "a node number of two digits": (replaced("node_number: 1 ", "node_number: 12 "), "node_number"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_check_and_serve_refuse_the_same_with_file_and_line(
    tmp_path: Path, refused: Callable[[Path], str], what: str
) -> None:
    change, message = REFUSED[what]
    said = refused(site(tmp_path, change))
    assert message in said
    assert "hotline.yaml:" in said or "environment:" in said


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (lambda text: text[: text.index("\nseats:")] + "\nseats: {}\n", "seats: "),
        (lambda text: text[: text.index("\nseats:")] + "\n", "seats: is missing"),
        (replaced("number: 6102", "number: 6101"), "6101 is the number of market_1 already"),
        (replaced("number: 6111", "number: 6101"), "6101 is the number of market_1 already"),
        (replaced("number: 8002", "number: 8001"), "8001 is the number of seat seat_1 already"),
        (replaced("  market:", "\tmarket:"), "it has a tab: write blanks"),
        (replaced("name: 区市场监管局", "name： 区市场监管局"), "full-width ："),
    ],
)  # fmt: skip
def test_check_and_serve_refuse_the_same_directory(
    tmp_path: Path, refused: Callable[[Path], str], units: Callable[[str], str], message: str
) -> None:
    said = refused(site(tmp_path, units=units))
    assert message in said
    assert "units.yaml:" in said


def test_a_file_in_gbk_is_refused_with_the_cure(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    settings = site(tmp_path)
    (tmp_path / "units.yaml").write_bytes((SAMPLE / "units.yaml").read_text(encoding="utf-8").encode("gbk", "replace"))
    assert "save it as UTF-8" in refused(settings)


def a_certificate(folder: Path, name: str, passphrase: str = "") -> None:
    """Write a certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = passphrase.encode()
    locked: Any = serialization.BestAvailableEncryption(secret) if secret else serialization.NoEncryption()
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    )


@pytest.mark.parametrize("what", ["of another", "with a passphrase", "no PEM"])
def test_a_key_that_does_not_serve_is_refused_and_nobody_is_asked_for_a_passphrase(
    tmp_path: Path, refused: Callable[[Path], str], what: str
) -> None:
    a_certificate(tmp_path, "server", "a passphrase" if what == "with a passphrase" else "")
    if what == "of another":
        a_certificate(tmp_path, "other")
        shutil.copy(tmp_path / "other.key", tmp_path / "server.key")
    elif what == "no PEM":
        (tmp_path / "server.pem").write_bytes(b"\x30\x82")
    assert "certificate and tls_key do not serve together" in refused(site(tmp_path, added(TLS)))


def test_all_that_is_missing_is_said_at_once(tmp_path: Path, refused: Callable[[Path], str]) -> None:
    said = refused(site(tmp_path, lambda text: added(TLS)(replaced(LISTEN, "listen: 192.0.2.9:5060")(text))))
    assert said.count("hotline.yaml:") == 3, "the address, the certificate, its key"


def test_a_console_that_the_command_line_opens_is_checked_where_it_opens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = site(tmp_path, added(TLS.replace("enabled: true", "enabled: false")))
    a_certificate(tmp_path, "server")
    assert hotline.main(["serve", "--config", str(settings), "--console", "192.0.2.9:8443"]) == 2
    assert "192.0.2.9 is no address of this machine" in capsys.readouterr().err


def test_every_reason_not_to_start_has_its_way_out() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.SchedulerError)]
    for kind in kinds:
        assert what_to_do(kind.__new__(kind))
    for wrong in (ConfigError([]), ValueError("x"), OSError(errno.EADDRINUSE, "x"), PermissionError(errno.EACCES, "x")):
        assert what_to_do(wrong)


def test_a_port_that_is_taken_says_how_to_find_who_has_it() -> None:
    taken = CannotListenError("127.0.0.1", 5060, OSError(errno.EADDRINUSE, "Address already in use"))
    assert "ss -lntup" in what_to_do(taken)
    wrapped = RuntimeError("the door")
    wrapped.__cause__ = taken.socketError
    assert what_to_do(wrapped) == what_to_do(taken)
