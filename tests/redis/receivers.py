"""Receivers of notices for tests: an HTTP server and a mail server on loopback, written without our code."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "a secret of the tests"


@dataclass(frozen=True)
class Post:
    """One request that arrived, and what it was answered."""

    headers: dict[str, str]
    body: bytes
    answer: int

    @property
    def fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.body)
        return fields

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


def is_signed(post: Post, secret: str) -> bool:
    """Whether a request is what it says, as docs/notices.md tells receivers to find out."""
    signed = post.headers["x-hotline-timestamp"].encode("ascii") + b"." + post.body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    version, _, given = post.headers["x-hotline-signature"].partition("=")
    return version == "v1" and hmac.compare_digest(expected, given)


@dataclass
class HttpReceiver:
    """An HTTP server that remembers every request; `answer` gives its status, and headers if it returns a pair."""

    answer: Callable[[Post], Any] = lambda post: 200
    posts: list[Post] = field(default_factory=list)
    port: int = 0
    _server: ThreadingHTTPServer | None = None
    _connections: list[socket.socket] = field(default_factory=list)

    def start(self, tls: ssl.SSLContext | None = None) -> HttpReceiver:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one packet

            def setup(self) -> None:
                super().setup()
                receiver._connections.append(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver.answer(Post(headers, body, 0))
                status, extra = answer if isinstance(answer, tuple) else (answer, {})
                receiver.posts.append(Post(headers, body, status))
                said = b"what the receiver says"
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: Any) -> None:
                pass  # clients break off; that is what is tested

        self._server = Server(("127.0.0.1", self.port), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Go away; the port stays ours, for a later start."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/notices"

    @property
    def taken(self) -> list[Post]:
        """The requests that were answered with 200."""
        return [post for post in self.posts if post.answer == 200]


@contextmanager
def http_receiver(answer: Callable[[Post], Any] = lambda post: 200) -> Iterator[HttpReceiver]:
    receiver = HttpReceiver(answer).start()
    try:
        yield receiver
    finally:
        receiver.stop()


@dataclass
class MailServer:
    """A mail server of few words; `refuses` maps a mailbox to the reply it gets at RCPT."""

    refuses: dict[str, str] = field(default_factory=dict)
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    port: int = 0

    @contextmanager
    def running(self) -> Iterator[MailServer]:
        mailbox = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                mailbox._talk(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = allow_reuse_address = True

        with Server(("127.0.0.1", self.port), Session) as server:
            self.port = server.server_address[1]
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            try:
                yield self
            finally:
                server.shutdown()

    def _talk(self, read: Any, write: Any) -> None:
        write.write(b"220 tests\r\n")
        to: list[str] = []
        for line in read:
            verb, said = line[:4].upper(), line.decode().strip()
            if verb == b"RCPT":
                box = said.partition("<")[2].partition(">")[0]
                reply = self.refuses.get(box, "250 ok")
                if reply.startswith("250"):
                    to.append(box)
                write.write(reply.encode() + b"\r\n")
            elif verb == b"DATA":
                write.write(b"354 go on\r\n")
                lines = list(iter(read.readline, b".\r\n"))
                letter = b"".join(text[1:] if text.startswith(b"..") else text for text in lines)
                self.mails.append((to, message_from_bytes(letter, policy=policy.default)))
                to = []
                write.write(b"250 taken\r\n")
            elif verb == b"QUIT":
                write.write(b"221 bye\r\n")
                return
            else:
                write.write(b"250 ok\r\n")
