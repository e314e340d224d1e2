"""A pool of lines without processes: a warm parent, lines and a clock that a test moves."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from config.settings import LineSettings
from ivr.line import messages as m
from ivr.pool.pool import LinePool, LineSlot
from ivr.pool.warm_parent import WarmParent


class Lines(Clock):
    """A reactor whose warm parent and lines are here: lines say Hello and beat unless told to be silent."""

    def __init__(self, max_legs: int = 4) -> None:
        super().__init__()
        self.max_legs = max_legs
        self.answers = True
        self.factory: Any = None
        self.parents: list[Parent] = []
        self.living: dict[int, Line] = {}
        self.silent: set[int] = set()

    def listenUNIX(self, path: str, factory: Any, mode: int) -> Any:
        assert len(path) < 108
        assert mode == 0o600
        self.factory = factory
        return SimpleNamespace(stopListening=lambda: succeed(None))

    def spawn(self, _reactor: Any, nursery: Any, _most: int) -> WarmParent:
        parent = WarmParent(nursery)
        parent.transport = Parent(self, parent)
        self.parents.append(parent.transport)
        return parent

    def run(self, seconds: float) -> None:
        """Let time pass, a heartbeat of every line each second."""
        for _ in range(int(seconds)):
            self.advance(1)
            for number, line in list(self.living.items()):
                if number not in self.silent:
                    line.say(m.Heartbeat())


class Parent:
    """The pipes of the warm parent."""

    def __init__(self, lines: Lines, protocol: WarmParent) -> None:
        self.lines = lines
        self.protocol = protocol
        self.killed: list[int] = []

    def write(self, text: bytes) -> None:
        for asked in map(json.loads, text.splitlines()):
            if "kill" in asked:
                self.killed.append(asked["kill"])
                self.lines.callLater(0, self.exited, asked["kill"], -9)
            elif self.lines.answers:
                self.lines.callLater(0.01, self.born, asked["line"])

    def born(self, number: int) -> None:
        self.protocol.outReceived(json.dumps({"forked": number, "pid": 1000 + number}).encode() + b"\n")
        self.lines.living[number] = Line(self, number)

    def exited(self, number: int, status: int) -> None:
        self.lines.living.pop(number, None)
        self.protocol.outReceived(json.dumps({"exited": number, "pid": 1, "status": status}).encode() + b"\n")

    def closeStdin(self) -> None:
        self.lines.callLater(0, self.end)

    def end(self) -> None:
        self.lines.living.clear()
        self.protocol.processEnded(SimpleNamespace(value="ended"))  # type: ignore[arg-type]


class Line:
    """One line at the other end of the socket; it obeys Quit, and Hangup if it is well."""

    def __init__(self, parent: Parent, number: int) -> None:
        self.parent = parent
        self.number = number
        self.hangs_up = True
        self.protocol = parent.lines.factory.buildProtocol(None)
        self.transport = StringTransport()
        self.transport.write = self.hear  # type: ignore[method-assign]
        self.heard: list[Any] = []
        self.protocol.makeConnection(self.transport)
        self.say(m.Hello(line=number, pid=1000 + number, sip_port=5000 + number, max_legs=parent.lines.max_legs))

    def say(self, *events: m.Event) -> None:
        for event in events:
            self.protocol.dataReceived(m.encode(event))

    def hear(self, data: bytes) -> None:
        for text in data.splitlines():
            command = m.decode(text)
            self.heard.append(command)
            clock = self.parent.lines
            if isinstance(command, m.Quit):
                clock.callLater(0.01, self.parent.exited, self.number, 0)
            elif isinstance(command, m.Hangup) and self.hangs_up:
                clock.callLater(0.01, self.say, m.LegEnded(leg=command.leg, sip_status=200))


def settings(**changes: Any) -> LineSettings:
    return LineSettings(**{"count": 4, "spare": 2, "reserved_for_callbacks_percent": 0, **changes})


class Pool:
    """A started pool with all that is around it."""

    def __init__(self, max_legs: int = 4, **changes: Any) -> None:
        self.lines = Lines(max_legs)
        self.died: list[int] = []
        template = m.LineConfig(line=0, socket_path="")
        self.pool = LinePool(settings(**changes), lambda: template, self.lines, self.died.append, self.lines.spawn)
        started = ensureDeferred(self.pool.start())
        self.lines.pump([0.01, 0.01])
        assert started.called
        self.stopping: Deferred[None] | None = None

    def take(self, for_callback: bool = False) -> LineSlot:
        slot = self.pool.take(for_callback)
        self.lines.pump([0.01, 0.01])
        assert slot is not None
        return slot

    def stop(self) -> None:
        stopped = ensureDeferred(self.pool.stop())
        self.lines.pump([0.01] * 5)
        assert stopped.called
        assert self.lines.getDelayedCalls() == []


def ring(slot: LineSlot) -> int:
    leg = slot.new_leg()
    slot.send(m.Ring(leg=leg, uri="sip:1@127.0.0.1"))
    return leg
