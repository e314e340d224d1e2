"""One line as the pool sees it: its process, its socket, its slots, and when it was heard last."""

from __future__ import annotations

import dataclasses
import socket
import struct
import time
from enum import Enum
from typing import Any, Protocol

import structlog
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from ivr.line import messages as m
from ivr.pool.slot import LEGS_PER_CONVERSATION, LineDied, LineSlot

log = structlog.get_logger()
# RFC 3261 17.1.2.2: timer F, 64 * T1
_LINGERS_S = 32.0


class LinesDidNotStart(RuntimeError):
    """No line said Hello in time: pjsua2 is not installed, or has no port to listen on."""


class LineState(Enum):
    """Where a line is in its life."""

    STARTING = "forked, has not said Hello"
    READY = "takes conversations"
    LEAVING = "takes no more, and ends when it is empty"
    DEAD = "has ended"


class Keeper(Protocol):
    """What a line tells its pool."""

    def hello(self, connection: LineConnection, hello: m.Hello) -> LineProcess | None:
        """A process says Hello; None if it is none of ours."""

    def slot_freed(self, line: LineProcess) -> None:
        """A conversation has ended, and its share of the line is free."""

    def slot_stuck(self, line: LineProcess) -> None:
        """Legs of a released slot did not end in time."""

    def connection_lost(self, line: LineProcess) -> None:
        """The socket of a line is closed."""

    def line_mute(self, line: LineProcess) -> None:
        """A line does not answer SIP."""


class LineProcess:
    """A line: at most `capacity` conversations at once."""

    def __init__(self, number: int, keeper: Keeper, reactor: Any, release_within_s: float) -> None:
        self.number = number
        self.state = LineState.STARTING
        self.pid = self.sip_port = self.max_legs = 0
        self.capacity = 1
        self.served = 0
        self.born_at = self.heard_at = self.rests_since = float(reactor.seconds())
        self.lingers_until = 0.0
        self.connection: LineConnection | None = None
        self.slots: dict[int, LineSlot] = {}
        self._timers: dict[LineSlot, Any] = {}
        self._keeper = keeper
        self._reactor = reactor
        self._release_within_s = release_within_s
        self._next_leg = 1

    def ready(self, connection: LineConnection, hello: m.Hello) -> None:
        """It has said Hello."""
        self.connection = connection
        self.heard_at = float(self._reactor.seconds())
        self.pid, self.sip_port, self.max_legs = hello.pid, hello.sip_port, hello.max_legs
        self.capacity = max(1, hello.max_legs // LEGS_PER_CONVERSATION)
        self.state = LineState.READY

    @property
    def is_free(self) -> bool:
        """Whether it can take one more conversation now."""
        return self.state is LineState.READY and len(self.slots) < self.capacity

    def take(self, for_callback: bool) -> LineSlot:
        """Give a slot; only if it is free."""
        index = min(set(range(self.capacity)) - set(self.slots))
        slot = self.slots[index] = LineSlot(self, index, for_callback)
        self.served += 1
        return slot

    def new_leg(self) -> int:
        """Return the id of a leg to ring: odd, and used once."""
        leg, self._next_leg = self._next_leg, self._next_leg + 2
        return leg

    def send(self, command: m.Command) -> None:
        """Send a command, if there is somebody to hear it."""
        if self.connection is not None:
            self.connection.transport.write(m.encode(command))

    def give_up(self) -> None:
        """It does not answer SIP: it is of no use to anybody."""
        self._keeper.line_mute(self)

    def slot_released(self, slot: LineSlot) -> None:
        """Free a slot as soon as it is empty, and give the whole line up if that takes too long."""
        if not self._free_if_empty(slot):
            self._timers[slot] = self._reactor.callLater(self._release_within_s, self._give_up, slot)

    def _free_if_empty(self, slot: LineSlot) -> bool:
        if not (slot.is_released and slot.is_empty):
            return False
        self._forget_timer(slot)
        for index, mine in list(self.slots.items()):
            if mine is slot:
                del self.slots[index]
                self._keeper.slot_freed(self)
        return True

    def _forget_timer(self, slot: LineSlot) -> None:
        timer = self._timers.pop(slot, None)
        if timer is not None and timer.active():
            timer.cancel()

    def _give_up(self, slot: LineSlot) -> None:
        del self._timers[slot]
        self._keeper.slot_stuck(self)

    def hear(self, event: m.Event) -> None:
        """Take an event: it goes to the slot it belongs to."""
        self.heard_at = float(self._reactor.seconds())
        if isinstance(event, m.LegEnded) and event.is_lingering:
            self.lingers_until = self.heard_at + _LINGERS_S
        if isinstance(event, m.Heartbeat):
            for slot in list(self.slots.values()):
                rtp, signs = (
                    {leg: count for leg, count in counts.items() if leg in slot.legs}
                    for counts in (event.rx_packets, event.signs_of_life)
                )
                slot.hear(dataclasses.replace(event, rx_packets=rtp, signs_of_life=signs))
            return
        for slot in list(self.slots.values()):
            if slot.claims(event):
                slot.hear(event)
                self._free_if_empty(slot)
                return
        if isinstance(event, m.LegIncoming):
            # its conversation has been given up in the meantime, or it never had one
            log.warning("leg_unexpected", line_id=self.number, sip_call_id=event.sip_call_id)
            self.send(m.Reject(leg=event.leg, sip_status=480))
        elif isinstance(event, m.LineFault):
            log.warning("line_fault", line_id=self.number, text=event.text, leg_id=event.leg)

    def bury(self) -> list[LineSlot]:
        """It has ended: tell its slots, and return them."""
        self.state = LineState.DEAD
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.drop()
        slots = list(self.slots.values())
        self.slots.clear()
        for slot in list(self._timers):
            self._forget_timer(slot)
        for slot in slots:
            slot.legs.clear()
            slot.recordings.clear()
            slot.hear(
                LineDied(line=self.number, sip_port=self.sip_port, monotonic_s=time.monotonic(), wall_s=time.time())
            )
        return slots


class LineConnection(LineOnlyReceiver):
    """The socket of one line; the first message must be its Hello."""

    transport: Any  # Twisted's zope interfaces are nothing mypy can read

    delimiter = b"\n"
    MAX_LENGTH = 1_000_000

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._line: LineProcess | None = None

    def lineReceived(self, line: bytes) -> None:
        """Take one message."""
        try:
            event = m.decode(line)
        except m.MalformedMessage as wrong:
            log.error("line_message_malformed", text=str(wrong))
            return
        if self._line is not None:
            self._line.hear(event)
        elif isinstance(event, m.Hello):
            self._line = self._keeper.hello(self, event)
        if self._line is None:
            self.drop()

    def peer_pid(self) -> int | None:
        """Return the process at the other end, as the kernel knows it; None where there is no real socket."""
        getter = getattr(self.transport, "socket", None)
        if getter is None:
            return None
        pid, _uid, _gid = struct.unpack("3i", getter.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return int(pid)

    def drop(self) -> None:
        """Close it."""
        self.transport.loseConnection()

    def connectionLost(self, _reason: Failure | None = None) -> None:
        """The line is gone, or was dropped."""
        if self._line is not None:
            self._keeper.connection_lost(self._line)


def connections(keeper: Keeper) -> Factory:
    """Return the factory of the socket all lines of a pool connect to."""
    return Factory.forProtocol(lambda: LineConnection(keeper))
