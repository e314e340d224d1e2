"""What a phone saw, in order and with times, where its owner waits for what comes next."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ivr.line.messages import Event, LegEnded, LineFault

E = TypeVar("E", bound=Event)


class PhoneHeardOtherwise(AssertionError):
    """The phone waited for one thing and another came, or nothing; the message ends with all it has seen."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of a phone's log: an event of its line process, or (`event` None) what its owner did."""

    monotonic_s: float
    wall_s: float
    text: str
    event: Event | None = None


@dataclass(frozen=True)
class ProcessGone(Event):
    """The phone's process ended; nothing will be heard from it again. `printed` is the last it wrote to stderr."""

    printed: str = ""


class PhoneLog:
    """The log, and the place in it up to which the waits have read.

    Each wait looks at what came after the event that the wait before it returned. `lock` guards the log and, with it,
    the phone.
    """

    def __init__(self, owner: str) -> None:
        self.lock = threading.RLock()
        self.entries: list[LogEntry] = []
        self._owner = owner
        self._changed = threading.Condition(self.lock)
        self._read = 0

    def note(self, text: str) -> None:
        """Write down what the phone's owner does."""
        with self.lock:
            self.entries.append(LogEntry(time.monotonic(), time.time(), text))

    def add(self, event: Event) -> None:
        """Write down an event and wake who waits."""
        with self.lock:
            at = (event.monotonic_s, event.wall_s) if event.wall_s else (time.monotonic(), time.time())
            self.entries.append(LogEntry(*at, _told(event), event))
            self._changed.notify_all()

    def start_afresh(self) -> None:
        """Let the next wait look at nothing that is in the log already."""
        with self.lock:
            self._read = len(self.entries)

    def events(self, kind: type[E]) -> list[E]:
        """Return all events of one kind so far."""
        with self.lock:
            return [entry.event for entry in self.entries if isinstance(entry.event, kind)]

    def wait_for(self, what: str, kind: type[E] | tuple[type[E], ...], timeout_s: float, *,
                 fits: Callable[[E], bool] = lambda event: True, leg: int | None = None, anywhere: bool = False) -> E:
        """Return the first fitting event after the last one waited for, or `anywhere` in the log.

        Raises PhoneHeardOtherwise after `timeout_s`, when the process is gone, and as soon as `leg` has ended.
        """
        until = time.monotonic() + timeout_s
        with self._changed:
            at = 0 if anywhere else self._read
            while True:
                while at < len(self.entries):
                    event = self.entries[at].event
                    at += 1
                    if isinstance(event, kind) and fits(event):
                        self._read = max(self._read, at)
                        return event
                    if isinstance(event, ProcessGone) or (isinstance(event, LegEnded) and event.leg == leg):
                        raise self.trouble(f"waited for {what}, and it was over")
                left_s = until - time.monotonic()
                if left_s <= 0:
                    raise self.trouble(f"waited {timeout_s} s for {what} in vain")
                self._changed.wait(left_s)

    def trouble(self, text: str) -> PhoneHeardOtherwise:
        """Return the error that tells what went wrong, with the log below it."""
        return PhoneHeardOtherwise(f"{self._owner} {text}; its log:\n{self}")

    def __str__(self) -> str:
        with self.lock:
            start = self.entries[0].monotonic_s if self.entries else 0.0
            lines = [f"  {entry.monotonic_s - start:8.3f} s  {entry.text}" for entry in self.entries]
        return "\n".join(lines) or "  (nothing)"


def _told(event: Event) -> str:
    if isinstance(event, LineFault):
        return f"FAULT {event.text}"
    fields = {f.name: getattr(event, f.name) for f in dataclasses.fields(event) if not f.kw_only}
    return " ".join([type(event).__name__, *(f"{name}={value}" for name, value in fields.items() if value != "")])
