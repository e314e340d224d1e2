"""Asks a running node over its operator's socket; without Twisted, so that a command is there at once."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

_ANSWER_S = 10.0
_LONGEST_ADDRESS = 107


class ControlError(Exception):
    """The node could not be asked, or refused."""


def short_address(path: Path, folder: int) -> str:
    """Return `path` as a socket's address may be written: 108 bytes at most (unix(7)), however deep its folder is."""
    return str(path) if len(os.fsencode(path)) <= _LONGEST_ADDRESS else f"/proc/self/fd/{folder}/{path.name}"


def ask(path: Path, question: str, **arguments: Any) -> Any:
    """Ask a running node from another process and return its answer; ControlError if there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_S)
        try:
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                connection.connect(short_address(path, folder))
            finally:
                os.close(folder)
            connection.sendall(json.dumps({"ask": question, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline()
        except OSError as wrong:
            raise ControlError(f"no node answers at {path}: {wrong}") from wrong
    if not line:
        raise ControlError(f"the node at {path} closed the connection")
    answer = json.loads(line)
    if "error" in answer:
        raise ControlError(answer["error"])
    return answer["answer"]
