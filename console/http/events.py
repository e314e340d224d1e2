"""The hub of server-sent events: what happens is numbered, kept for a while, and given to everybody it concerns.

A client that reconnects names the last number it saw and gets what came since, or is told to load its page anew. A
client too slow to take what is sent is dropped, not waited for; its browser comes back by itself. Viewers are served
in slices, one a turn of the reactor, so that two hundred of them never keep a call waiting.
"""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from console.people.roles import Role
from node.operations.happenings import Topic
from routing.from_outside import whole_number

# Who may hear of what; a unit hears of its own orders only, and of calls about them under a topic of its own.
TOPICS: Mapping[str, frozenset[Role]] = {
    Topic.CALL.value: frozenset({Role.SUPERVISOR, Role.SEAT, Role.ADMIN}),
    "callback": frozenset({Role.SUPERVISOR, Role.UNIT}),
    Topic.SEAT.value: frozenset({Role.SUPERVISOR, Role.SEAT, Role.ADMIN}),
    Topic.LINES.value: frozenset({Role.SUPERVISOR, Role.ADMIN}),
    Topic.ORDER.value: frozenset({Role.SUPERVISOR, Role.UNIT}),
    Topic.NOTICE.value: frozenset({Role.SUPERVISOR, Role.ADMIN}),
    Topic.SITE.value: frozenset({Role.SUPERVISOR, Role.SEAT, Role.ADMIN}),
}
KEPT = 2000
GATHER_S = 0.2
HEARTBEAT_S = 15.0
LONGEST_LIFE_S = 900.0  # then the browser comes back, and is asked again who it is
_SLICE = 25
_QUEUED_AT_MOST = 200
_HEARTBEAT = b": still here\n\n"


class Sink(Protocol):
    """Where a client's bytes go."""

    def write(self, text: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """End the connection; what was not sent yet is not sent."""


class Timer(Protocol):
    """What the hub needs of a reactor."""

    def callLater(self, delay: float, callable: Callable[..., object], /, *args: Any) -> object:
        """Call something in so many seconds."""

    def seconds(self) -> float:
        """Return the time in seconds since some moment."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something of a topic; `unit_id` is whose it is, "" if it is no unit's."""

    number: int
    topic: str
    unit_id: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who listens, and in which session."""

    role: Role
    unit_id: str = ""
    name: str = ""
    session_key: str = ""


class Client:
    """One browser that listens; `pause` and `resume` are called by its connection."""

    def __init__(self, sink: Sink, topics: frozenset[str], viewer: Viewer) -> None:
        self.sink, self.topics, self.viewer = sink, topics, viewer
        self.is_paused = self.is_gone = False
        self.ends_at_s = 0.0
        self._queue: deque[bytes] = deque()

    def wants(self, event: Event) -> bool:
        """Whether an event is for it."""
        if event.topic not in self.topics:
            return False
        viewer = self.viewer
        return viewer.role is not Role.UNIT or (bool(event.unit_id) and event.unit_id == viewer.unit_id)

    def give(self, text: bytes) -> bool:
        """Send or queue bytes; False if too many wait already."""
        if not self.is_paused:
            self.sink.write(text)
            return True
        self._queue.append(text)
        return len(self._queue) <= _QUEUED_AT_MOST

    def pause(self) -> None:
        """Queue from now on: the connection takes no more."""
        self.is_paused = True

    def resume(self) -> None:
        """Send what waits."""
        self.is_paused = False
        while self._queue and not self.is_paused:
            self.sink.write(self._queue.popleft())


class Hub:
    """All clients of a node."""

    def __init__(self, reactor: Timer, *, kept: int = KEPT) -> None:
        self._reactor = reactor
        self._epoch = secrets.token_hex(4)  # numbers of before a restart mean nothing
        self._ring: deque[Event] = deque(maxlen=kept)
        self._last = 0
        self._clients: dict[Client, int] = {}  # the number of the last event each was given
        self._is_flushing = self._is_beating = False
        self.dropped = 0

    @property
    def viewers(self) -> int:
        """How many clients listen."""
        return len(self._clients)

    @property
    def position(self) -> str:
        """The last event's id: a page that shows things as they are now misses nothing that comes after it."""
        return f"{self._epoch}-{self._last}"

    def publish(self, topic: str, fields: Mapping[str, Any]) -> None:
        """Tell everybody concerned that something happened; returns at once. `unit_id` of the fields says whose."""
        self._last += 1
        body = json.dumps(fields, ensure_ascii=False, default=str)
        text = f"id: {self._epoch}-{self._last}\nevent: {topic}\ndata: {body}\n\n".encode()
        self._ring.append(Event(self._last, topic, str(fields.get("unit_id") or ""), text))
        if self._clients and not self._is_flushing:
            self._is_flushing = True
            self._reactor.callLater(GATHER_S, self._flush)

    def join(self, sink: Sink, topics: frozenset[str], viewer: Viewer, last_seen: str = "") -> Client:
        """Let a client listen to those of `topics` that its role may hear; it first gets what it missed."""
        allowed = frozenset(topic for topic in topics if viewer.role in TOPICS.get(topic, ()))
        client = Client(sink, allowed, viewer)
        client.ends_at_s = self._reactor.seconds() + LONGEST_LIFE_S
        missed = self._missed(last_seen)
        if missed is None:
            client.give(b"event: reset\ndata: {}\n\n")
        self._clients[client] = self._last
        for event in missed or []:
            if client.wants(event):
                client.give(event.text)
        # behind what was missed: a connection that breaks in the middle must not count it as seen
        client.give(f"retry: 2000\nid: {self.position}\nevent: hello\ndata: {{}}\n\n".encode())
        if not self._is_beating:
            self._is_beating = True
            self._reactor.callLater(HEARTBEAT_S, self._beat)
        return client

    def leave(self, client: Client) -> None:
        """Forget a client whose connection is gone."""
        client.is_gone = True
        self._clients.pop(client, None)

    def drop(self, concerned: Callable[[Viewer], bool]) -> None:
        """End the connections of some clients: logged out, or of a role they no longer have."""
        for client in [one for one in self._clients if concerned(one.viewer)]:
            self._end(client)

    def close(self) -> None:
        """End every connection."""
        self.drop(lambda viewer: True)

    def _missed(self, last_seen: str) -> list[Event] | None:
        """Return what came after the event a client saw last; None if that cannot be told any more."""
        if not last_seen:
            return []
        epoch, _, digits = last_seen.rpartition("-")
        number = whole_number(digits, 0, self._last)
        first_kept = self._ring[0].number if self._ring else self._last + 1
        if epoch != self._epoch or number is None or number + 1 < first_kept:
            return None
        return [event for event in self._ring if event.number > number]

    # -- sending --------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Begin to give everybody what came since; what comes meanwhile goes with the next round."""
        self._serve(list(self._clients), self._last)

    def _serve(self, clients: list[Client], until: int) -> None:
        for client in clients[:_SLICE]:
            if not client.is_gone:
                self._give_new(client, until)
        if rest := clients[_SLICE:]:
            self._reactor.callLater(0, self._serve, rest, until)
            return
        self._is_flushing = self._last > until and bool(self._clients)
        if self._is_flushing:
            self._reactor.callLater(GATHER_S, self._flush)

    def _give_new(self, client: Client, until: int) -> None:
        last = self._clients[client]
        if self._ring and last + 1 < self._ring[0].number:
            client.give(b"event: reset\ndata: {}\n\n")
        new = [event.text for event in self._after(last) if event.number <= until and client.wants(event)]
        self._clients[client] = until
        if new and not client.give(b"".join(new)):
            self.dropped += 1
            self._end(client)

    def _after(self, number: int) -> list[Event]:
        count = min(len(self._ring), self._last - number)
        return [self._ring[n] for n in range(len(self._ring) - count, len(self._ring))]

    def _beat(self) -> None:
        now_s = self._reactor.seconds()
        for client in list(self._clients):
            if now_s >= client.ends_at_s or not client.give(_HEARTBEAT):
                self._end(client)
        self._is_beating = bool(self._clients)
        if self._is_beating:
            self._reactor.callLater(HEARTBEAT_S, self._beat)

    def _end(self, client: Client) -> None:
        self.leave(client)
        client.sink.close()
