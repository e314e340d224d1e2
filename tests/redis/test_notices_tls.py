"""Notices over TLS: only a receiver whose certificate is verified is told anything."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.errors import ConfigError
from tests.redis.nodes import wait_until
from tests.redis.receivers import HttpReceiver
from tests.redis.telling import TellingNode


def certificate(folder: Path, names: list[x509.GeneralName]) -> tuple[Path, Path]:
    """Make a certificate that is its own authority; return its file and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate_file, key_file = folder / "board.pem", folder / "board.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate_file, key_file


@pytest.fixture(params=["127.0.0.1", "elsewhere"])
def secure(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[HttpReceiver, Path, bool]]:
    """A receiver with TLS, its authority, and whether the certificate carries its name."""
    is_right = request.param == "127.0.0.1"
    ours: x509.GeneralName = x509.IPAddress(IPv4Address("127.0.0.1"))
    files = certificate(tmp_path, [ours if is_right else x509.DNSName("elsewhere.example")])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    receiver = HttpReceiver().start(context)
    yield receiver, files[0], is_right
    receiver.stop()


def test_only_a_verified_receiver_is_told(
    telling: TellingNode, secure: tuple[HttpReceiver, Path, bool]
) -> None:
    receiver, authority, is_right = secure
    hook = {"url": receiver.url.replace("http:", "https:"), "secret_env": "TEST_SECRET"}
    telling.start_telling(webhooks=[hook | {"name": "known", "ca_file": authority}, hook | {"name": "strange"}])
    telling.open_order("13800000001")
    wait_until(lambda: telling.status_of("webhook_strange")["failures_in_a_row"] > 0)
    if is_right:
        assert "certificate verify failed" in telling.status_of("webhook_strange")["last_error"]
        wait_until(lambda: telling.status_of("webhook_known")["delivered"] == 1)
        assert len(receiver.posts) == 1
    else:
        wait_until(lambda: telling.status_of("webhook_known")["failures_in_a_row"] > 0)
        assert "Mismatch" in telling.status_of("webhook_known")["last_error"]
        assert receiver.posts == []


def test_a_file_without_certificates_stops_the_start(telling: TellingNode, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    hook = {"name": "board", "url": "https://127.0.0.1:1/", "secret_env": "TEST_SECRET", "ca_file": empty}
    with pytest.raises(ConfigError, match="holds no certificates"):
        telling.start_telling(webhooks=[hook])
