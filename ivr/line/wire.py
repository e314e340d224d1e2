"""The line's end of the Unix socket: commands in, events out, never blocking the telephone loop."""

from __future__ import annotations

import dataclasses
import os
import socket
import time
from pathlib import Path
from typing import Any

from ivr.line.messages import Event, MalformedMessage, decode, encode
from processes.socket_address import short_address

# A node that reads nothing for this much text is gone or stuck; the line must not grow without end.
_MOST_UNSENT_BYTES = 4_000_000


class Wire:
    """One JSON message per line of text, in both directions; `is_closed` once the node is gone."""

    def __init__(self, socket_path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder = os.open(Path(socket_path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._socket.connect(short_address(Path(socket_path), folder))
        finally:
            os.close(folder)
        self._socket.setblocking(False)
        self._unread = b""
        self._unsent = b""
        self.is_closed = False
        self.malformed: list[str] = []

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def send(self, event: Event) -> None:
        """Stamp an event with both clocks, and send what the socket takes now."""
        stamped = dataclasses.replace(event, monotonic_s=time.monotonic(), wall_s=time.time())
        self._unsent += encode(stamped)
        self.flush()

    def flush(self) -> None:
        """Send what is left from before."""
        if not self._unsent:
            return
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.is_closed = True
            return
        self._unsent = self._unsent[sent:]
        if len(self._unsent) > _MOST_UNSENT_BYTES:
            self.is_closed = True

    def commands(self) -> list[Any]:
        """Return the commands that have come in since."""
        try:
            text = self._socket.recv(65536)
            if not text:
                self.is_closed = True
        except BlockingIOError:
            return []
        except OSError:
            self.is_closed = True
            return []
        *lines, self._unread = (self._unread + text).split(b"\n")
        commands = []
        for line in lines:
            try:
                commands.append(decode(line))
            except MalformedMessage as wrong:
                self.malformed.append(str(wrong))
        return commands
