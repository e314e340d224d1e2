"""The console over real sockets: headers of every answer, slow and rude clients, TLS, the stream of events."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.web.browsers import PASSWORD, console

_SERVING = Path(__file__).with_name("serving.py")
_WAIT_S = 20.0


class Person:
    """Somebody with an HTTP client: keeps cookies, follows nothing."""

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        self.url, self._where, self._context = url, urlsplit(url), context
        self.cookies: dict[str, str] = {}

    def connect(self) -> http.client.HTTPConnection:
        host, port = self._where.hostname or "", self._where.port
        if self._context:
            return http.client.HTTPSConnection(host, port, timeout=_WAIT_S, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=_WAIT_S)

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[http.client.HTTPResponse, str]:
        connection = self.connect()
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers |= {"Origin": self.url, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, urlencode(form) if form is not None else None, headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer, body

    def become_administrator(self, token: str) -> None:
        _, page = self.ask("GET", f"/welcome?token={token}")
        csrf = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
        form = {"csrf": csrf, "token": token, "name": "chen", "password": PASSWORD, "password_again": PASSWORD}
        answer, _ = self.ask("POST", "/welcome", form)
        assert answer.status == 303


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with console(tmp_path_factory.mktemp("var")) as told:
        yield told


@pytest.mark.parametrize(
    "path", ["/login", "/nothing", "/static/base.css", "/static/../site.py", "/%ff%fe", "/api/nothing", "//login", "/"]
)
def test_every_answer_carries_the_headers_whatever_was_asked(served: dict[str, Any], path: str) -> None:
    answer, _ = Person(served["url"]).ask("GET", path)
    assert answer.status < 500
    assert "default-src 'none'" in (answer.getheader("Content-Security-Policy") or "")
    assert answer.getheader("X-Frame-Options") == "DENY"
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert not answer.getheader("Server"), "nobody needs to know what to attack"


def test_a_name_that_was_rebound_to_us_is_refused(served: dict[str, Any]) -> None:
    connection = Person(served["url"]).connect()
    connection.request("GET", "/login", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 400
    connection.close()


def test_a_large_body_is_refused_before_it_is_sent(served: dict[str, Any]) -> None:
    where = urlsplit(served["url"])
    with socket.create_connection((where.hostname or "", where.port or 0), _WAIT_S) as wire:
        wire.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n")
        assert wire.recv(100).startswith(b"HTTP/1.1 413 ")


def test_rubbish_is_refused_and_the_next_one_is_served(served: dict[str, Any]) -> None:
    where = urlsplit(served["url"])
    address = where.hostname or "", where.port or 0
    for rubbish in (b"\x16\x03\x01\x02\x00", b"GET /login\r\n\r\n", b"A" * 100_000, b"GET / HTTP/9\r\nx\r\n\r\n"):
        # cut off in the middle is an answer, too
        with contextlib.suppress(OSError), socket.create_connection(address, _WAIT_S) as wire:
            wire.sendall(rubbish)
            wire.shutdown(socket.SHUT_WR)
            while wire.recv(4096):
                pass
    answer, _ = Person(served["url"]).ask("GET", "/login")
    assert answer.status == 200


def test_who_is_logged_in_gets_the_stream_of_events_and_a_stranger_does_not(served: dict[str, Any]) -> None:
    answer, _ = Person(served["url"]).ask("GET", "/events?topics=lines")
    assert answer.status == 303
    person = Person(served["url"])
    person.become_administrator(served["token"])
    wrong, _ = person.ask("GET", "/events?topics=everything")
    assert wrong.status == 400
    connection = person.connect()
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    connection.request("GET", "/events?topics=lines", headers={"Cookie": cookies})
    stream = connection.getresponse()
    assert stream.getheader("Content-Type") == "text/event-stream; charset=utf-8"
    assert stream.getheader("Cache-Control") == "no-store"
    first = [stream.readline().decode().strip() for _ in range(3)]
    assert first[0].startswith("retry: ")
    assert first[2] == "event: hello"
    person.ask("POST", "/logout", {"csrf": _token_of(person)})
    assert _ends(stream), "whoever logged out hears no more"
    connection.close()


def _ends(stream: http.client.HTTPResponse) -> bool:
    """Read to the end of a stream; TimeoutError if there is none."""
    with contextlib.suppress(ConnectionResetError, http.client.IncompleteRead):
        while stream.readline():
            pass
    return True


def _token_of(person: Person) -> str:
    _, page = person.ask("GET", "/me")
    return str(re.findall(r'name="csrf" content="([^"]+)"', page)[0])


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = tmp_path / "console.pem", tmp_path / "console.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


def test_with_a_certificate_it_speaks_tls_and_its_cookies_belong_to_this_host_alone(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with console(tmp_path / "var", _SERVING, *map(str, certificate)) as told:
        assert told["url"].startswith("https://")
        person = Person(told["url"], context)
        person.become_administrator(told["token"])
        assert {"__Host-session", "__Host-form"} <= person.cookies.keys()
        answer, _ = person.ask("GET", "/accounts")
        assert answer.status == 200
        assert answer.getheader("Strict-Transport-Security")
        login, _ = Person(told["url"], context).ask("GET", "/login")
        cookie = login.getheader("Set-Cookie") or ""
        assert all(flag in cookie for flag in ("__Host-", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"))


def test_a_token_is_printed_only_while_there_is_no_administrator(tmp_path: Path) -> None:
    with console(tmp_path) as told:
        Person(told["url"]).become_administrator(told["token"])
    with console(tmp_path) as told:
        assert "token" not in told
        assert json.dumps(told).count("welcome") == 0
