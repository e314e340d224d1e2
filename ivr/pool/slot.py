"""A slot: one conversation's share of a line; what the call flows hold while a caller is there."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from ivr.line import messages as m

log = structlog.get_logger()
LEGS_PER_CONVERSATION = 4
# Numbers the node chooses freely; in a line of several conversations they must not meet.
_NUMBERED = ("bridge", "play", "recording")


@dataclass(frozen=True)
class LineDied(m.Event):
    """The line of this slot has died, and all its legs with it. Not a message of the wire."""

    line: int
    sip_port: int


@dataclass(frozen=True)
class CallRefused(m.Event):
    """The line refused the INVITE that was expected before it became a leg. Not a message of the wire."""

    sip_status: int


class LineOfSlot(Protocol):
    """What a slot needs of its line; see `process.LineProcess`."""

    number: int
    pid: int
    sip_port: int
    max_legs: int
    capacity: int

    def new_leg(self) -> int: ...
    def send(self, command: m.Command) -> None: ...
    def slot_released(self, slot: LineSlot) -> None: ...
    def give_up(self) -> None: ...


class LineSlot:
    """Up to four legs of a line; events of these legs go to `listener`."""

    def __init__(self, line: LineOfSlot, index: int, for_callback: bool) -> None:
        self._line = line
        self._index = index
        self.for_callback = for_callback
        self.listener: Callable[[m.Event], None] | None = None
        self.is_released = False
        self.legs: set[int] = set()
        self.recordings: set[int] = set()
        self._expected: set[str] = set()
        self._lingering = 0

    @property
    def line_id(self) -> int:
        """The number of the line, unique as long as the node runs."""
        return self._line.number

    @property
    def pid(self) -> int:
        """The process of the line."""
        return self._line.pid

    @property
    def sip_port(self) -> int:
        """Where its SIP listens on 127.0.0.1."""
        return self._line.sip_port

    @property
    def max_legs(self) -> int:
        """How many legs this conversation may have at once."""
        return min(LEGS_PER_CONVERSATION, self._line.max_legs)

    @property
    def legs_free(self) -> int:
        """How many legs may still be rung; one that is expected to come in is taken already, one that lingers still."""
        return max(0, self.max_legs - len(self.legs) - len(self._expected) - self._lingering)

    def new_leg(self) -> int:
        """Return the id of a leg to ring."""
        return self._line.new_leg()

    def expect(self, sip_call_id: str) -> None:
        """The INVITE with this Call-ID belongs to this slot."""
        self._expected.add(sip_call_id)

    def refused(self, sip_call_id: str, sip_status: int) -> None:
        """Tell the listener that the line has refused an INVITE; nothing if that is its leg by now."""
        if sip_call_id in self._expected:
            self._expected.discard(sip_call_id)
            self.hear(CallRefused(sip_status, monotonic_s=time.monotonic(), wall_s=time.time()))

    def give_up(self) -> None:
        """The line does not do what it is there for: end it, and all it carries."""
        self._line.give_up()

    def send(self, command: m.Command) -> None:
        """Send a command to the line; a line that has died hears nothing, and LineDied has told so."""
        if isinstance(command, m.Ring):
            self.legs.add(command.leg)
        elif isinstance(command, m.Record):
            self.recordings.add(command.recording)
        self._line.send(self._renumbered(command, self._outward))

    def release(self) -> None:
        """Give the slot back: what is left of its legs is hung up, and the line is free when they have ended.

        The listener hears until then: LegEnded and RecordEnded of what was left.
        """
        if self.is_released:
            return
        self.is_released = True
        for recording in sorted(self.recordings):
            self.send(m.StopRecord(recording=recording))
        for leg in sorted(self.legs):
            self.send(m.Hangup(leg=leg))
        self._line.slot_released(self)

    # -- for the line -----------------------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether no leg and no recording is left."""
        return not (self.legs or self.recordings)

    def claims(self, event: m.Event) -> bool:
        """Tell whether an event belongs to this slot; an INVITE that was expected becomes its leg."""
        if isinstance(event, m.LegIncoming):
            if event.sip_call_id not in self._expected:
                return False
            self._expected.discard(event.sip_call_id)
            self.legs.add(event.leg)
            return True
        if isinstance(event, m.RecordEnded):
            return event.recording % self._line.capacity == self._index
        return getattr(event, "leg", None) in self.legs

    def hear(self, event: m.Event) -> None:
        """Pass an event of this slot on to its listener."""
        inward = self._renumbered(event, self._inward)
        if isinstance(inward, m.LegEnded):
            self.legs.discard(inward.leg)
            self._lingering += inward.is_lingering
        elif isinstance(inward, m.RecordEnded):
            self.recordings.discard(inward.recording)
        if self.listener is None:
            return
        try:
            self.listener(inward)
        except Exception:
            # one conversation's mistake must not stop the others on this line, nor its bookkeeping
            log.exception("slot_listener_failed", line_id=self.line_id, event_type=type(inward).__name__)

    def _outward(self, number: int) -> int:
        return number * self._line.capacity + self._index

    def _inward(self, number: int) -> int:
        return number // self._line.capacity

    def _renumbered(self, message: Any, renumber: Callable[[int], int]) -> Any:
        if self._line.capacity == 1:
            return message
        numbers = {name: renumber(getattr(message, name)) for name in _NUMBERED if hasattr(message, name)}
        return dataclasses.replace(message, **numbers) if numbers else message
