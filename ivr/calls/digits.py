"""What keys mean: a seat's commands during a call."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class SeatCommand(Enum):
    """What a seat can ask for while it talks, and the keys for it."""

    BRING_IN = "*matter#"  # ring the specialists of a matter and join them
    DROP = "*9"  # the specialist leaves
    LEAVE = "*0"  # the seat leaves the two talking
    CONSULT = "*5"  # hold the caller, or take them back


class TargetKind(Enum):
    """What a seat can name on its page to bring somebody in."""

    MATTER = "matter"  # the specialists of a matter, by its matter_id
    UNIT = "unit"  # those of a unit, whatever it is about, by its unit_id
    PERSON = "person"  # one specialist, by the number of the directory


@dataclass(frozen=True)
class Target:
    """Whom a seat wants."""

    kind: TargetKind
    name: str


@dataclass(frozen=True)
class SeatRequest:
    """A complete command, made by keys or on a page (`by`).

    For BRING_IN either `target` says whom, or the `matter_code` keyed ("": the caller's own matter).
    """

    command: SeatCommand
    matter_code: str = ""
    target: Target | None = None
    by: str = "keys"


class SeatKeys:
    """Reads one seat's keys, key by key; forgets a half-typed command after `between_digits_s`.

    Codes of matters never begin with 0, 5 or 9 (the directory checks it), so `*5` needs no waiting.
    """

    _AT_ONCE: ClassVar = {"9": SeatCommand.DROP, "0": SeatCommand.LEAVE, "5": SeatCommand.CONSULT}

    def __init__(self, between_digits_s: float) -> None:
        self._patience_s = between_digits_s * 2
        self._typed: str | None = None
        self._last_s = 0.0

    def press(self, digit: str, at_s: float) -> SeatRequest | None:
        """Take one key pressed at `at_s` (monotonic); return the command it completes, if it does."""
        if at_s - self._last_s > self._patience_s:
            self._typed = None
        self._last_s = at_s
        if digit == "*":
            self._typed = ""
            return None
        if self._typed is None:
            return None
        if not self._typed and digit in self._AT_ONCE:
            self._typed = None
            return SeatRequest(self._AT_ONCE[digit])
        if digit == "#":
            code, self._typed = self._typed, None
            return SeatRequest(SeatCommand.BRING_IN, code)
        self._typed += digit
        return None
