"""One log of what happened in a story, in order: what was commanded, and what was written once it was on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as VirtualTime
from twisted.internet.task import deferLater

from ivr.line import messages as m

SENT = "sent"  # a command to a line, at the moment it is given
WRITTEN = "written"  # an event in the journal, once it is on disk
BEGUN = "begun"  # what others are asked to do, as they begin: to ring a phone, to give a notice, to take a call

Wanted = Callable[["Entry"], bool]


class Entry(NamedTuple):
    """One thing that happened; `more` is the command itself, the payload of an event, or what was asked for."""

    kind: str
    name: str
    more: Any
    at: datetime | None = None


class EventLog:
    """What happened, in order. Everybody in one story writes into the same."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, kind: str, name: str, more: Any, at: datetime | None = None) -> None:
        self.entries.append(Entry(kind, name, more, at))

    def of_kind(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind == kind]

    def first(self, wanted: Wanted) -> int:
        """Return the place of the first entry that is `wanted`; an AssertionError tells the whole log if none is."""
        places = (place for place, entry in enumerate(self.entries) if wanted(entry))
        if (found := next(places, None)) is None:
            raise AssertionError("it never happened; this did:\n" + "\n".join(map(str, self.entries)))
        return found


def sent(command: type[m.Command], **fields: Any) -> Wanted:
    """A command to a line, with these fields."""

    def is_wanted(entry: Entry) -> bool:
        return isinstance(entry.more, command) and all(getattr(entry.more, name) == fields[name] for name in fields)

    return is_wanted


def rung(number: str) -> Wanted:
    """The command to ring a number."""
    return sent(m.Ring, uri=f"sip:{number}@127.0.0.1")


def written(event_type: str, **fields: Any) -> Wanted:
    """An event that is on disk, with these fields of its payload."""
    return _named(WRITTEN, event_type, fields)


def begun(act: str, **fields: Any) -> Wanted:
    """The beginning of what others are asked to do, with these fields."""
    return _named(BEGUN, act, fields)


def _named(kind: str, name: str, fields: Mapping[str, Any]) -> Wanted:
    def is_wanted(entry: Entry) -> bool:
        is_named = (entry.kind, entry.name) == (kind, name)
        return is_named and all(entry.more.get(field) == value for field, value in fields.items())

    return is_wanted


async def a_turn(time: VirtualTime | None) -> None:
    """Let the reactor turn once, as it does while a disk or Redis is at work: what does not wait for it goes first."""
    if time is not None:
        await later(time, 0.0)


def later(time: VirtualTime, delay_s: float) -> Deferred[Any]:
    """Return what fires when a virtual time has come."""
    reactor: Any = time  # Twisted does not call its own clock an IReactorTime
    return deferLater(reactor, delay_s)
