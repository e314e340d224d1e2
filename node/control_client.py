"""Asks a running node over its operator's socket; without Twisted, so that a command is there at once."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from processes.socket_address import short_address

_ANSWER_S = 10.0


class ControlError(Exception):
    """The node could not be asked, or refused."""


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
