"""The audience's process: viewers of the console's event stream, and clients that send and read a byte a second."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

_PASSWORD = "correct horse battery"
_SLOW_EVERY_S = 1.0
_JOIN_PER_TURN = 5
_TURN_S = 0.05
_SMALL_BUFFER = 2048


def log_in(welcome_url: str) -> str:
    """Become the first administrator by the printed address; return the cookies of the session."""
    url = urlsplit(welcome_url)
    assert url.hostname is not None
    connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", f"{url.path}?{url.query}")
        page = connection.getresponse()
        text = page.read().decode()
        cookies = _cookies(page)
        fields = dict(re.findall(r'name="(csrf|token)" value="([^"]+)"', text))
        fields |= {"name": "bench", "password": _PASSWORD, "password_again": _PASSWORD}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies,
                   "Origin": f"{url.scheme}://{url.netloc}"}  # fmt: skip
        connection.request("POST", url.path, urlencode(fields), headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 303:
            raise ConnectionError(f"no log-in: {answer.status}")
        return _cookies(answer) or cookies


def _cookies(answer: http.client.HTTPResponse) -> str:
    set_by = [value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    return "; ".join(one for one in set_by if one.partition("=")[2])


@dataclass
class Member:
    """One connection; `to_send` is what a slow one has not sent yet."""

    connection: socket.socket
    is_slow: bool
    to_send: bytes = b""
    heard: bytes = b""
    events: int = 0
    next_at: float = field(default_factory=time.monotonic)


class Audience:
    """All of them; whoever is thrown out comes again at once."""

    def __init__(self, address: tuple[str, int], cookie: str, viewers: int, slow: int) -> None:
        self._address, self._cookie = address, cookie
        self._wanted = [False] * viewers + [True] * slow
        self._members: dict[int, Member] = {}
        self._poll = select.epoll()
        self._poll.register(0, select.EPOLLIN)
        self.events, self.joined, self.thrown_out = 0, 0, 0

    def run(self) -> None:
        """Be there until standard input is closed."""
        is_over = has_told = False
        while not is_over:
            for is_slow in self._wanted[:_JOIN_PER_TURN]:
                self._join(is_slow)
            del self._wanted[:_JOIN_PER_TURN]
            for descriptor, _ in self._poll.poll(_TURN_S):
                if descriptor == 0:
                    is_over = not os.read(0, 1)
                elif not self._members[descriptor].is_slow:
                    self._read(self._members[descriptor])
            self._let_slow_ones_act()
            if not self._wanted and not has_told:
                has_told = True
                print(json.dumps({"there": len(self._members)}), flush=True)
        print(json.dumps({"events": self.events, "joined": self.joined, "thrown_out": self.thrown_out}), flush=True)

    def _join(self, is_slow: bool) -> None:
        connection = socket.socket()
        if is_slow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        connection.settimeout(10)
        connection.connect(self._address)
        connection.setblocking(False)
        topics = "call,seat,lines"
        head = (
            f"GET /events?topics={topics} HTTP/1.1\r\nHost: {self._address[0]}:{self._address[1]}\r\n"
            f"Cookie: {self._cookie}\r\n\r\n"
        ).encode()
        member = Member(connection, is_slow)
        # every other slow one asks slowly; the others ask at once, and take the answer slowly
        if is_slow and self.joined % 2:
            member.to_send = head
        else:
            connection.send(head)
        self.joined += 1
        self._members[connection.fileno()] = member
        if not is_slow:
            self._poll.register(connection.fileno(), select.EPOLLIN)

    def _read(self, member: Member, most: int = 65536) -> None:
        try:
            heard = member.connection.recv(most)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            self._leave(member)
            return
        text = member.heard + heard
        self.events += text.count(b"\nevent: ")
        member.heard = text[-7:] if not text.endswith(b"\nevent: ") else b""

    def _let_slow_ones_act(self) -> None:
        now = time.monotonic()
        for member in [one for one in self._members.values() if one.is_slow and one.next_at <= now]:
            member.next_at = now + _SLOW_EVERY_S
            try:
                if member.to_send:
                    member.to_send = member.to_send[member.connection.send(member.to_send[:1]) :]
            except OSError:
                self._leave(member)
                continue
            self._read(member, 1)

    def _leave(self, member: Member) -> None:
        self.thrown_out += 1
        del self._members[member.connection.fileno()]
        member.connection.close()
        self._wanted.append(member.is_slow)


def main() -> None:
    """Arguments: the address to log in at, how many viewers, how many slow clients; a cookie instead of a token."""
    where, cookie, viewers, slow = sys.argv[1:5]
    url = urlsplit(where)
    assert url.hostname is not None
    Audience((url.hostname, url.port or 80), cookie, int(viewers), int(slow)).run()


if __name__ == "__main__":
    main()
