"""What people saw and heard, written down outside the node: what the harness compares everything with."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


class Witness:
    """Appends to a file that nobody of the node ever reads; each line is written at once, so a kill loses none."""

    def __init__(self, file: Path, life: int) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._life = life

    def saw(self, what: str, at: datetime, **fields: Any) -> None:
        """Write down one thing that happened to somebody."""
        line = json.dumps({"what": what, "at": at.isoformat(), "life": self._life} | fields, ensure_ascii=False)
        os.write(self._descriptor, line.encode() + b"\n")


@dataclass(frozen=True)
class Seen:
    """One line of a witness."""

    what: str
    at: datetime
    life: int
    fields: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


def read(file: Path) -> list[Seen]:
    """Return all that was written down, oldest first."""
    found: list[Seen] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        at = datetime.fromisoformat(fields.pop("at"))
        found.append(Seen(fields.pop("what"), at, fields.pop("life"), fields))
    return found
