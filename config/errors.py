"""Everything that can be wrong with a configuration file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MOST_FAULTS = 200


@dataclass(frozen=True, order=True)
class Fault:
    """One bad key: where it stands and what is wrong with it. Line 0 means the file as a whole."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key + ': ' if self.key else ''}{self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; `faults` has every bad key (200 at most), sorted by file and line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        every = sorted(set(faults))
        self.faults = tuple(every[:MOST_FAULTS])
        if len(every) > MOST_FAULTS:
            self.faults += (Fault(every[0].file, 0, "", f"and {len(every) - MOST_FAULTS} faults more"),)
        super().__init__("\n".join(map(str, self.faults)))
