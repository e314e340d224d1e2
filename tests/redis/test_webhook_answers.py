"""Answers of a receiver that are no proper answers: what is told goes on, and no connection is left behind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.redis.nodes import wait_until
from tests.redis.telling import TellingNode

HEAD = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def answering(*answers: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bool]]]:
    """A server whose nth connection is answered by the nth of `answers`; gives its URL, and what was closed by us."""
    listening = socket.create_server(("127.0.0.1", 0))
    closed: list[bool] = []

    def serve() -> None:
        for answer in answers:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    answer(connection)
                    connection.settimeout(5)
                    with suppress(ConnectionError):
                        assert connection.recv(1) == b""
                    closed.append(True)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", closed
    finally:
        listening.close()
        thread.join(10)


def good(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n")
    connection.shutdown(socket.SHUT_WR)


def endless(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"\r\n")
    with suppress(OSError):
        while True:
            connection.sendall(b"x" * 4096)


def stalled(connection: socket.socket) -> None:
    connection.sendall(HEAD + b"Content-Length: 10\r\n\r\nabc")


def closed_at_once(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def no_http(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example.org ESMTP\r\n")


def start(node: TellingNode, url: str) -> None:
    hook = {"name": "board", "url": url, "secret_env": "TEST_SECRET", "timeout_s": 0.5, "parallel": 1}
    node.start_telling(webhooks=[hook])
    node.open_order("13800000001")


def test_an_answer_without_end_is_taken_for_what_its_head_says_and_broken_off(telling: TellingNode) -> None:
    with answering(endless) as (url, closed):
        start(telling, url)
        wait_until(lambda: telling.status_of("webhook_board")["delivered"] == 1)
        wait_until(lambda: closed == [True])


@pytest.mark.parametrize("bad", [stalled, closed_at_once, no_http])
def test_after_half_an_answer_the_notice_is_sent_again_on_another_connection(
    telling: TellingNode, bad: Callable[[socket.socket], None]
) -> None:
    with answering(bad, good) as (url, closed):
        start(telling, url)
        wait_until(lambda: telling.status_of("webhook_board")["delivered"] == 1)
        assert telling.notices.dead_letters() == []
        wait_until(lambda: closed == [True, True])


def test_a_node_that_stops_waits_for_no_answer_and_sends_again_when_it_starts(telling: TellingNode) -> None:
    is_asked = threading.Event()

    def stalling(connection: socket.socket) -> None:
        stalled(connection)
        is_asked.set()

    with answering(stalling, good) as (url, closed):
        hook = {"name": "board", "url": url, "secret_env": "TEST_SECRET", "timeout_s": 600}
        telling.start_telling(webhooks=[hook])
        telling.open_order("13800000001")
        assert is_asked.wait(10)
        telling.stop()
        wait_until(lambda: closed == [True])
        telling.start_telling(webhooks=[hook])
        wait_until(lambda: telling.status_of("webhook_board")["delivered"] == 1)
