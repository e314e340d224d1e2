"""What no browser sends: over a real socket it gets an answer, and no error of ours is logged about it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from twisted.web.test.requesthelper import DummyRequest

from console.http.ranges import keep_plain_range
from tests.sip.processes import dying_with_us

_SERVING = Path(__file__).with_name("serving.py")
HOST = "Host: 127.0.0.1\r\n"
Ask = Callable[[str], str]
REQUESTS = {
    "a length of 5,000 digits": (f"POST /login HTTP/1.1\r\n{HOST}Content-Length: {'9' * 5000}\r\n\r\n", 400),
    "a length that is none": (f"POST /login HTTP/1.1\r\n{HOST}Content-Length: x\r\n\r\n", 400),
    "two lengths": (f"POST /login HTTP/1.1\r\n{HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "chunks that are none": (f"POST /login HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\nZZ\r\n", 400),
    "an address that is no UTF-8": (f"GET /orders/%ED%A0%80 HTTP/1.1\r\n{HOST}\r\n", 400),
    "an address of the API that is no UTF-8": (f"GET /api/v1/orders/%ff HTTP/1.1\r\n{HOST}\r\n", 400),
    "another server's address": (f"GET http://[ HTTP/1.1\r\n{HOST}\r\n", 404),
    "half an IPv6 address": ("GET /login HTTP/1.1\r\nHost: [\r\n\r\n", 400),
    "3,000 ranges": (f"GET /static/base.css HTTP/1.1\r\n{HOST}Range: bytes={'0-1,' * 3000}\r\n\r\n", 200),
    "a range of 4,000 digits": (f"GET /static/base.css HTTP/1.1\r\n{HOST}Range: bytes={'9' * 4000}-\r\n\r\n", 200),
    "an end longer than the file": (f"GET /static/base.css HTTP/1.1\r\n{HOST}Range: bytes=-{'9' * 14}\r\n\r\n", 200),
    "one range": (f"GET /static/base.css HTTP/1.1\r\n{HOST}Range: bytes=0-9\r\n\r\n", 206),
    "TLS to a socket without": ("\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ask, Path]]:
    """A console in a process of its own: what is asked of it, and the file of what it logs."""
    folder = tmp_path_factory.mktemp("var")
    log = folder / "log"
    with log.open("wb") as file:
        serving = subprocess.Popen(
            dying_with_us([sys.executable, str(_SERVING), str(folder)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file,
        )  # fmt: skip
    assert serving.stdin is not None
    assert serving.stdout is not None
    told: dict[str, Any] = json.loads(serving.stdout.readline())
    where = urlsplit(told["url"])

    def ask(request: str) -> str:
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=10) as connection:
            connection.sendall(request.encode("latin-1"))
            return connection.recv(65536).decode("latin-1")

    yield ask, log
    serving.stdin.close()
    serving.wait(30)
    serving.stdout.close()


@pytest.mark.parametrize("what", REQUESTS)
def test_what_no_browser_sends_is_answered_and_is_no_error_of_ours(served: tuple[Ask, Path], what: str) -> None:
    ask, log = served
    request, status = REQUESTS[what]
    assert ask(request).startswith(f"HTTP/1.1 {status} ")
    assert "Traceback" not in log.read_text(encoding="utf-8")
    assert ask(f"GET /login HTTP/1.1\r\n{HOST}\r\n").startswith("HTTP/1.1 200 "), "it goes on"


@pytest.mark.parametrize(
    ("asked", "stays"),
    [
        ("bytes=0-", True), ("bytes=0-99", True), ("bytes=50-", True), ("bytes=-10", True), ("bytes=500-", True),
        ("bytes=9-1", False), ("bytes=-100", False), ("bytes=-0", False), ("bytes=-", False), ("bytes=0-1,2-3", False),
        ("bytes=0-" + "9" * 20, False), ("lines=0-1", False), ("", False),
    ],
)  # fmt: skip
def test_a_file_is_given_by_one_plain_range_or_whole(asked: str, stays: bool) -> None:
    request: Any = DummyRequest([b""])
    request.requestHeaders.setRawHeaders(b"range", [asked.encode()])
    keep_plain_range(request, 100)
    assert request.requestHeaders.hasHeader(b"range") is stays
