"""A call: its legs, who is joined with whom, and the record of it all."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred

from callback_scheduler.orders.evidence import LEAST_TALK_S
from ivr.calls.arrival import Arrival
from ivr.calls.cdr import CallRecord, LegRecord, PartyRole
from ivr.calls.errors import CallEnded, CallError, LineLost, NumberRefused
from ivr.calls.happenings import Happening, Happenings
from ivr.calls.leg import Leg, fail_all
from ivr.calls.liveness import NO_SOUND, Liveness
from ivr.calls.recordings import Recordings
from ivr.calls.redirects import follows, redirect
from ivr.calls.request import Request
from ivr.calls.ring_command import ring_command
from ivr.calls.seat_talk import SeatTalk
from ivr.calls.services import CallServices
from ivr.calls.slot import Slot
from ivr.calls.steps import CallStep
from ivr.calls.supervision import Supervision
from ivr.calls.talk_meter import TalkMeter
from ivr.calls.waiting_music import WaitingMusic
from ivr.line import messages
from ivr.pool.pool import CallRefused, LineDied
from ivr.speech.prompts import Prompt
from routing.phone_numbers import identifies, masked

_CLEAR_UP_S = 4.0  # for the line to report the end of all legs and recordings of a call that is over
_FORBIDDEN = 403
_BRIDGE = 1  # one conversation has one


class Call:
    """One conversation on one line.

    Flows speak to it in the verbs of a telephone. When the leg it follows goes, whatever waits anywhere in the call
    fails with CallEnded at that moment; afterwards the other legs may still be spoken to. A call that comes in follows
    its caller. In a callback the caller is the enterprise, whom we ring: until it is on, the call follows the
    specialist, and before that nobody.
    """

    def __init__(self, slot: Slot, services: CallServices, record: CallRecord) -> None:
        self.slot = slot
        self.services = services
        self.record = record
        self.reactor = services.reactor
        self.clock = services.clock
        self.prompts = services.prompts
        self.manners = services.manners
        self.presence = services.presence
        self.request = Request(caller_number=record.caller_number)
        self.is_caller_trusted = True  # False: the trunk shows whatever number its callers write
        self.is_caller_hidden = False  # their number is to be shown to nobody
        self.legs: dict[int, Leg] = {}
        self.joined: tuple[Leg, ...] = ()
        self.line_lost = self.is_released = False
        self.talk_began_at: datetime | None = None
        self.log = structlog.get_logger().bind(call_id=record.call_id)
        self.happenings = Happenings()
        folder = services.recordings / f"{record.offered_at:%Y/%m/%d}"
        self.recordings = Recordings(folder, record.call_id, slot.send)
        self.principal: Leg | None = None
        self.seat_talk: SeatTalk | None = None  # while caller, seat and specialist talk
        self.supervision: Supervision | None = None
        self._caller: Leg | None = None
        self._waits: list[Deferred[Any]] = []
        self.arrival = Arrival(self.reactor)
        self._farewells: list[Deferred[Any]] = []
        self._alone: Deferred[None] | None = None
        self._cleared: Deferred[None] | None = None
        self._meter = TalkMeter()
        self._liveness = Liveness(services.manners.no_sound_s)
        self._music = WaitingMusic(self)
        slot.listener = self.on_event
        services.tell("offered", self)

    @property
    def call_id(self) -> str:
        return self.record.call_id

    @property
    def caller(self) -> Leg:
        assert self._caller is not None, "the caller's leg has not arrived, or has not been rung"
        return self._caller

    @property
    def is_over(self) -> bool:
        """Whether whom the call follows has gone, or the line has died, or the node stops."""
        return self.line_lost or self.is_released or (self.principal is not None and self.principal.is_gone)

    @property
    def talked_s(self) -> float:
        """Seconds the caller and somebody else have talked with RTP both ways."""
        return self._meter.caller_s

    def end_error(self) -> CallEnded:
        if self.line_lost:
            return LineLost("the line died")
        return CallEnded(f"the {self.principal.role.value} has gone" if self.principal else "the node stops")

    def send(self, command: messages.Command) -> None:
        self.slot.send(command)

    def new_id(self) -> int:
        """Return an id for a leg, play or recording, unique on this line."""
        return self.slot.new_leg()

    def step(self, step: CallStep) -> None:
        """Write into the record where in the flow the call is."""
        self.record.steps.append(step)
        self.services.tell("step", self)

    # -- what the line tells ----------------------------------------------------------------------------------

    def on_event(self, event: messages.Event) -> None:
        """Take an event of this conversation's line."""
        if isinstance(event, LineDied):
            self._line_died()
        elif isinstance(event, CallRefused):
            self.arrival.refused(event.sip_status)
        elif isinstance(event, messages.Heartbeat):
            self._beat(event)
        elif isinstance(event, messages.LegIncoming):
            self._arrived(event)
        elif isinstance(event, messages.RecordEnded):
            self.recordings.on_ended(event)
            self._check_cleared()
        elif isinstance(event, messages.LineFault):
            self.log.warning("line_faulted", text=event.text)
        elif (leg := self.legs.get(getattr(event, "leg", 0))) is not None:
            self._leg_event(leg, event)

    def _arrived(self, event: messages.LegIncoming) -> None:
        record = LegRecord(event.leg, PartyRole.CALLER, self.record.caller_number, started_at=self.clock.now())
        self._caller = self.principal = self._add(record)
        if identifies(record.number):
            self.presence.take(record.number, self)  # a person on the phone with us is not rung
        self.arrival.reached()

    def _beat(self, event: messages.Heartbeat) -> None:
        before_s = self.talked_s
        self._meter.beat(event, self._talking, self._caller)
        excused = self._caller if self.seat_talk is not None and self.seat_talk.is_held else None
        for leg_id in self._liveness.silent(event, self.legs.values(), excused):
            self._end_silent(self.legs[leg_id])
        if self.talk_began_at is None and self.talked_s:
            # read late when the node stood still: the talk began when the line heard it
            late_s = max(0.0, self.services.monotonic_s() - event.monotonic_s)
            self.talk_began_at = self.clock.now() - timedelta(seconds=self.talked_s + late_s)
        if before_s < LEAST_TALK_S <= self.talked_s:
            self.happenings.put(Happening.TALKED, None)

    def _end_silent(self, leg: Leg) -> None:
        if not leg.went_silent:
            self.log.warning("leg_went_silent", leg_id=leg.leg_id, role=leg.role.value)
            leg.hangup(NO_SOUND)

    def silent_numbers(self) -> set[str]:
        """Return the numbers whose phones went silent in this call: they are not rung again."""
        return {leg.record.number for leg in self.legs.values() if leg.went_silent}

    def _leg_event(self, leg: Leg, event: messages.Event) -> None:
        if isinstance(event, messages.LegAnswered):
            leg.on_answered()
            self.presence.answered(leg.record.number, self)
            self.log.info("leg_answered", leg_id=leg.leg_id, role=leg.role.value)
            if not event.has_key_events:
                self.log.warning("leg_without_key_events", leg_id=leg.leg_id, role=leg.role.value)
            self.services.tell("changed", self)
        elif isinstance(event, messages.KeyPressed):
            leg.on_key(event.digit)
        elif isinstance(event, messages.LegOnHold):
            leg.is_on_hold = event.is_on_hold
            self._hear_each_other()
        elif isinstance(event, messages.PlayEnded):
            leg.on_play_ended(event.play, event.finished)
        elif isinstance(event, messages.LegEnded):
            if event.redirected_to and follows(self, leg, event):
                leg.follow_redirect(redirect(self, leg))
            else:
                self._leg_ended(leg, event)

    def _leg_ended(self, leg: Leg, event: messages.LegEnded | None) -> None:
        if leg.is_gone:
            return
        self._meter.leave(leg)
        leg.on_ended(event)
        for number in {leg.record.number, leg.record.redirected_to} - {""}:
            self.presence.free(number, self)
        self.log.info("leg_ended", leg_id=leg.leg_id, role=leg.role.value, cause=leg.record.cause)
        self.joined = tuple(other for other in self.joined if other is not leg)
        # in one go: what begins to wait thereupon (a farewell to a specialist) must not fail with it
        fail_all(self.legs.values() if leg is self.principal else (leg,), leg.gone_error())
        if self.supervision is not None:
            self.supervision.left(leg)
        if self._alone is not None and not self._alone.called and len(self.joined) <= 1:
            self._alone.callback(None)
        self.happenings.put(Happening.LEFT, leg)
        self.services.tell("changed", self)
        self._check_cleared()

    def _line_died(self) -> None:
        self.line_lost = True
        self.arrival.line_died()
        self.recordings.on_line_died()
        self._fail_waits()
        for leg in sorted(self.legs.values(), key=lambda leg: leg is not self.principal):
            self._leg_ended(leg, None)
        self._check_cleared()

    def _add(self, record: LegRecord) -> Leg:
        leg = self.legs[record.leg_id] = Leg(self, record)
        self.record.legs.append(record)
        return leg

    def check(self) -> None:
        """Raise CallEnded if the call is over: after an await of something that is not of this call."""
        if self.is_over:
            raise self.end_error()

    def wait(self) -> Deferred[Any]:
        """Return a Deferred for somebody to fire; it fails when the call is over."""
        if self.principal is not None:
            return self.principal.wait()
        waiting: Deferred[Any] = Deferred()
        self._waits.append(waiting)
        return waiting

    def _fail_waits(self) -> None:
        waits, self._waits = self._waits, []
        for waiting in waits:
            if not waiting.called:
                waiting.errback(self.end_error())

    # -- verbs ------------------------------------------------------------------------------------------------

    def follow(self, leg: Leg) -> None:
        """From now on the call is over when `leg` goes."""
        self.principal = leg

    async def answer(self) -> None:
        """Answer the caller."""
        await self.caller.answer()
        self.record.answered_at = self.clock.now()

    async def say(self, prompt: Prompt, **values: Any) -> None:
        """Speak to the caller."""
        self._music.stop()
        await self.caller.say(prompt, **values)

    async def ask(self, prompt: Prompt, choices: str, **options: Any) -> str:
        """Ask the caller; see `Leg.ask`."""
        self._music.stop()
        return await self.caller.ask(prompt, choices, **options)

    def ring(self, number: str, role: PartyRole, name: str = "") -> Leg:
        """Start to ring a number and return its leg at once; in the role of the caller it is the enterprise's.

        The leg of a number that is not dialled ends at once, as one that the network refuses.
        """
        leg = self._add(LegRecord(self.new_id(), role, number, name, started_at=self.clock.now()))
        if role is PartyRole.CALLER:
            self._caller = leg
        self.presence.take(number, self)
        try:
            uri, from_number = self.services.dial_uri(number)
        except NumberRefused:
            self.log.error("number_refused", leg_id=leg.leg_id, role=role.value, number=masked(number))
            leg.record.cause, leg.record.sip_status = "number refused", _FORBIDDEN
            self.reactor.callLater(0, self._leg_ended, leg, None)
        else:
            self.send(ring_command(self, leg.record, uri, from_number))
            self.log.info("leg_rung", leg_id=leg.leg_id, role=role.value)
        self.services.tell("changed", self)
        return leg

    def join(self, *legs: Leg) -> None:
        """From now on exactly these legs talk with each other; the music of a joined caller stops."""
        self.joined = tuple(leg for leg in legs if not leg.is_gone)
        if self._caller in self.joined:
            self._music.stop()
        for leg in self.joined:
            leg.hush()
        self.send(messages.Bridge(_BRIDGE, tuple(leg.leg_id for leg in self.joined)))
        self._hear_each_other()
        if self.supervision is not None:
            self.supervision.connect()
        self.services.tell("changed", self)

    @property
    def _talking(self) -> tuple[Leg, ...]:
        return tuple(leg for leg in self.joined if not leg.is_on_hold)

    def _hear_each_other(self) -> None:
        """Count as talking who is joined and not on hold; a caller whose partners all hold them hears music."""
        talking = self._talking
        self._meter.join(talking, self.services.monotonic_s())
        if self._caller in talking:
            if len(self.joined) > 1 and len(talking) == 1:
                self._music.start(with_words=False)
            else:
                self._music.stop()

    def entertain(self) -> None:
        """Let whom the call follows hear music, and a word every ten seconds, until joined or spoken to."""
        self._music.start()

    def quiet(self) -> None:
        """End the music."""
        self._music.stop()

    def hold(self, *others: Leg) -> None:
        """Let the caller hear music alone while `others` talk."""
        self.join(*others)
        self._music.start(with_words=False)

    def whisper(self, leg: Leg, prompt: Prompt, **values: Any) -> None:
        """Speak to one leg alone while its conversation goes on; nobody waits for it."""

        async def say() -> None:
            with suppress(CallError):
                await leg.say(prompt, **values)
                self._music.resume(leg)

        ensureDeferred(say())

    def take_leave(self, farewell: Deferred[Any]) -> None:
        """Let the call's end wait for `farewell`: somebody is being told why they were rung in vain."""
        self._farewells.append(farewell)

    def record_legs(self, label: str, *legs: Leg, max_s: float = 0.0) -> tuple[int, Path]:
        """Start to record what `legs` say; return the recording's id and file."""
        recording = self.new_id()
        return recording, self.recordings.start(recording, label, legs, max_s)

    # -- the end ----------------------------------------------------------------------------------------------

    def end_talk(self) -> None:
        """The people of the call have talked to each other: what follows is between the caller and the line."""
        self.seat_talk = None
        if self.supervision is not None:
            self.supervision.stop("the talk is over")

    async def until_alone(self, timeout_s: float) -> Leg | None:
        """Wait until at most one leg is still joined, `timeout_s` at most; return it."""
        if len(self.joined) > 1:
            self._alone = Deferred()
            timer = self.reactor.callLater(timeout_s, self._alone.callback, None)
            await self._alone
            if timer.active():
                timer.cancel()
        return self.joined[0] if self.joined else None

    def release(self) -> None:
        """End the call because the node stops."""
        self.is_released = True
        if self.principal is not None:
            self.principal.hangup("node stopped")
        if self._alone is not None and not self._alone.called:
            self._alone.callback(None)
        self._fail_waits()

    async def clear(self) -> None:
        """Hang up all legs, close recordings, wait for the line to say so, and give the line back."""
        self._music.stop()
        await DeferredList(self._farewells, consumeErrors=True)
        for leg in self.legs.values():
            leg.hangup("call over")
        self.recordings.stop_all()
        if not self._is_clear():
            self._cleared = Deferred()
            timer = self.reactor.callLater(_CLEAR_UP_S, self._cleared.callback, None)
            await self._cleared
            if timer.active():
                timer.cancel()
        self.record.two_way_s = round(self.talked_s, 1)
        self.record.recordings = [file for file in self.recordings.files if Path(file).exists()]
        self.record.recordings_cut = list(self.recordings.cut)
        self.presence.free_all(self)
        self.slot.listener = None
        self.slot.release()
        self.services.tell("ended", self)

    def _is_clear(self) -> bool:
        return self.line_lost or (self.recordings.are_closed and all(leg.is_gone for leg in self.legs.values()))

    def _check_cleared(self) -> None:
        if self._cleared is not None and not self._cleared.called and self._is_clear():
            self._cleared.callback(None)
