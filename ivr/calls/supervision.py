"""A supervisor in a conversation of others, who listens, whispers to the one at work, or speaks to all."""

from __future__ import annotations

from enum import Enum
from typing import Any, Protocol

from twisted.internet.defer import ensureDeferred

from config.settings import PhoneManners
from ivr.calls.cdr import CallRecord, PartyRole, SupervisionRecord
from ivr.calls.errors import CallError
from ivr.calls.leg import Leg
from ivr.calls.recordings import Recordings
from ivr.calls.services import CallServices
from ivr.line.messages import Command, Overhear
from ivr.speech.prompts import Prompt
from routing.clock import Clock


class Mode(Enum):
    """Who hears the supervisor, who always hears all who are joined."""

    LISTEN = "listen"  # nobody
    WHISPER = "whisper"  # the seat alone; without a seat, the specialist
    BARGE = "barge"  # all, and the recording


class SupervisedCall(Protocol):
    """What a supervision needs of its call; see `call.Call`."""

    clock: Clock
    log: Any
    manners: PhoneManners
    record: CallRecord
    recordings: Recordings
    services: CallServices
    supervision: Supervision | None

    @property
    def call_id(self) -> str: ...
    @property
    def joined(self) -> tuple[Leg, ...]: ...
    def ring(self, number: str, role: PartyRole, name: str = "") -> Leg: ...
    def send(self, command: Command) -> None: ...
    def whisper(self, leg: Leg, prompt: Prompt) -> None: ...


class Supervision:
    """One supervisor's phone in a call; it ends with the talk, when it hangs up, or when it is stopped.

    Its leg is in no bridge: nobody waits for it, no talk is counted by it, and when it goes nobody notices.
    """

    def __init__(self, call: SupervisedCall, leg: Leg, mode: Mode, who: str) -> None:
        self._call = call
        self._leg = leg
        self.mode = mode
        self.supervision_id = f"{call.call_id}-s{leg.leg_id}"
        began_at = call.clock.now()
        self._record = SupervisionRecord(who, leg.record.number, began_at)
        call.record.supervisions.append(self._record)

    @classmethod
    def begin(cls, call: SupervisedCall, number: str, name: str, mode: Mode, who: str) -> Supervision:
        """Ring a supervisor and connect them once they answer; returns at once. The call needs a free leg."""
        supervision = call.supervision = cls(call, call.ring(number, PartyRole.SUPERVISOR, name), mode, who)
        call.log.info("supervision_begun", mode=mode.value, by=who)
        call.services.tell("changed", call)
        ensureDeferred(supervision._until_on())
        return supervision

    async def _until_on(self) -> None:
        try:
            await self._leg.answered(self._call.manners.ring_s)
        except CallError:
            self.stop("not answered")  # refused, or the one the call follows went while this phone rang
            return
        self._begin_mode()

    @property
    def who(self) -> str:
        """Who listens, as events name them."""
        return self._record.who

    @property
    def state(self) -> str:
        """Return "ringing", or "on" once the supervisor is connected."""
        return "on" if self._leg.is_up else "ringing"

    def change(self, mode: Mode, who: str) -> None:
        """Change who hears the supervisor, from now on."""
        if mode is self.mode:
            return
        self.mode = mode
        self._call.log.info("supervision_changed", mode=mode.value, by=who)
        self._call.services.tell("changed", self._call)
        if self._leg.is_up:
            self._begin_mode()

    def _begin_mode(self) -> None:
        self._record.modes.append((self.mode.value, self._call.clock.now()))
        self.connect()
        if self.mode is Mode.BARGE:
            for leg in self._call.joined:
                self._call.whisper(leg, Prompt.JOINED)

    def connect(self) -> None:
        """Connect the supervisor with those who are joined now."""
        if not self._leg.is_up:
            return
        joined = self._call.joined
        heard_by = self._listeners(joined)
        self._call.send(Overhear(self._leg.leg_id, _ids(joined), _ids(heard_by)))
        self._call.recordings.take_along((self._leg,) if self.mode is Mode.BARGE else ())

    def _listeners(self, joined: tuple[Leg, ...]) -> tuple[Leg, ...]:
        if self.mode is Mode.LISTEN:
            return ()
        if self.mode is Mode.BARGE:
            return joined
        seats = tuple(leg for leg in joined if leg.role is PartyRole.SEAT)
        return seats or tuple(leg for leg in joined if leg.role is PartyRole.SPECIALIST)

    def left(self, leg: Leg) -> None:
        """Somebody of the call has gone: if it is the supervisor, this is over; if not, others may hear them now."""
        if leg is self._leg:
            self._over()
        else:
            self.connect()

    def stop(self, cause: str) -> None:
        """Take the supervisor out of the call."""
        self._leg.hangup(cause)
        self._over()

    def _over(self) -> None:
        if self._call.supervision is not self:
            return
        self._call.supervision = None
        self._record.ended_at = self._call.clock.now()
        self._call.recordings.take_along(())
        self._call.log.info("supervision_ended", cause=self._leg.record.cause)
        self._call.services.tell("changed", self._call)

    def status(self) -> dict[str, Any]:
        """Return what a page shows of it."""
        return {
            "supervision_id": self.supervision_id,
            "who": self._record.who,
            "number": self._record.number,
            "mode": self.mode.value,
            "state": self.state,
        }


def _ids(legs: tuple[Leg, ...]) -> tuple[int, ...]:
    return tuple(leg.leg_id for leg in legs)
