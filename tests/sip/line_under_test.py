"""Real lines for the tests of this folder, driven without Twisted: a warm parent, a Unix socket, events."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ivr.line.messages import Event, Hello, LineConfig, LineFault, Quit, decode, encode

_Some = TypeVar("_Some", bound=Event)
_ROOT = Path(__file__).resolve().parents[2]


class LineUnderTest:
    """One line: `send` commands, `wait` for events; every event is kept in `events`."""

    def __init__(self, farm: Farm, connection: socket.socket) -> None:
        self._farm = farm
        self.connection = connection
        self._unread = b""
        self.events: list[Event] = []
        self._waiting: list[Event] = []
        self.hello = Hello(line=0, pid=0, sip_port=0, max_legs=0)
        self.is_closed = False

    def send(self, *commands: object) -> None:
        """Send commands in one write."""
        self.connection.sendall(b"".join(encode(command) for command in commands))

    def read(self) -> None:
        """Take what the line has said since."""
        try:
            text = self.connection.recv(65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            text = b""
        if not text:
            self.is_closed = True
        *lines, self._unread = (self._unread + text).split(b"\n")
        new = [decode(line) for line in lines]
        self.events += new
        self._waiting += new

    def wait(self, kind: type[_Some], timeout_s: float = 5.0, **fields: Any) -> _Some:
        """Return the first such event not yet waited for, whatever came before it; AssertionError if none comes."""
        ends_at = time.monotonic() + timeout_s
        while True:
            for event in self._waiting:
                if isinstance(event, kind) and all(getattr(event, name) == fields[name] for name in fields):
                    self._waiting.remove(event)
                    return event
            if time.monotonic() >= ends_at or self.is_closed:
                seen = "\n".join(map(str, self._waiting))
                raise AssertionError(f"no {kind.__name__} {fields} within {timeout_s} s, but:\n{seen}")
            self._farm.read(ends_at - time.monotonic())

    def seen(self, kind: type[_Some], **fields: Any) -> list[_Some]:
        """Return all events of `kind` so far."""
        return [
            event
            for event in self.events
            if isinstance(event, kind) and all(getattr(event, name) == fields[name] for name in fields)
        ]

    @property
    def pid(self) -> int:
        """Its process."""
        return self.hello.pid

    def uri(self, user: str = "12345") -> str:
        """Return what to ring to get an INVITE into this line."""
        return f"sip:{user}@127.0.0.1:{self.hello.sip_port}"


class Farm:
    """A warm parent and its lines."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._path = folder / "lines.sock"
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._path))
        self._server.listen(600)
        self.parent = subprocess.Popen(
            [sys.executable, "-m", "ivr.line", "--parent", str(os.getpid()), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
        )
        self._lines: list[LineUnderTest] = []
        self._unread = b""
        self.said: list[dict[str, Any]] = []
        self._next = 1

    def line(self, **config: Any) -> LineUnderTest:
        """Fork one more line, and return it when it has said Hello."""
        assert self.parent.stdin is not None
        number, self._next = self._next, self._next + 1
        self.fork(LineConfig(line=number, socket_path=str(self._path), **config))
        self._server.settimeout(10)
        connection, _ = self._server.accept()
        connection.setblocking(False)
        line = LineUnderTest(self, connection)
        self._lines.append(line)
        line.hello = line.wait(Hello, line=number)
        return line

    def fork(self, config: LineConfig) -> None:
        """Ask the warm parent for a line."""
        assert self.parent.stdin is not None
        self.parent.stdin.write(json.dumps(dataclasses.asdict(config)).encode() + b"\n")
        self.parent.stdin.flush()

    def read(self, timeout_s: float) -> None:
        """Wait until some line or the parent says something."""
        assert self.parent.stdout is not None
        lines = [line for line in self._lines if not line.is_closed]
        sources: list[Any] = [line.connection for line in lines]
        if self.parent.poll() is None:
            sources.append(self.parent.stdout)
        ready, _, _ = select.select(sources, [], [], max(0.0, timeout_s))
        for line in lines:
            if line.connection in ready:
                line.read()
        if self.parent.stdout in ready:
            *said, self._unread = (self._unread + os.read(self.parent.stdout.fileno(), 65536)).split(b"\n")
            self.said += [json.loads(one) for one in said]

    def until(self, holds: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Read on until something holds; AssertionError if it does not in time."""
        ends_at = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < ends_at, "it did not come true in time"
            self.read(min(0.05, ends_at - time.monotonic()))

    def talk(self, seconds: float) -> None:
        """Let the calls run for a while."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            self.read(ends_at - time.monotonic())

    def faults(self) -> list[LineFault]:
        """Return all faults of all lines."""
        return [fault for line in self._lines for fault in line.seen(LineFault)]

    def close(self) -> None:
        """End all lines, then the parent."""
        if self.parent.poll() is not None:
            for line in self._lines:
                line.is_closed = True
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.send(Quit())
        assert self.parent.stdin is not None
        with contextlib.suppress(AssertionError):
            self.until(lambda: all(line.is_closed for line in self._lines), 5.0)
        self.parent.stdin.close()
        try:
            self.parent.wait(5)
        except subprocess.TimeoutExpired:
            self.parent.kill()
            self.parent.wait()
        assert self.parent.stdout is not None
        self.parent.stdout.close()
        for line in self._lines:
            line.connection.close()
        self._server.close()


@contextlib.contextmanager
def farm(*options: str) -> Iterator[Farm]:
    """Give a farm whose socket lies in a short temporary folder, and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="line-") as folder:
        one = Farm(Path(folder), *options)
        try:
            yield one
        finally:
            one.close()
