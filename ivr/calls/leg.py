"""One party of a call as the node sees it: its state, its keys, and the verbs that concern it alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail

from config.settings import PhoneManners
from ivr.calls.cdr import LegRecord, PartyRole
from ivr.calls.errors import CallError, LegGone
from ivr.calls.liveness import NO_SOUND
from ivr.line.messages import Answer, Command, Hangup, LegEnded, Play, Progress, SendKeys, Stop
from ivr.speech.prompts import Prompt, PromptBook
from routing.clock import Clock
from routing.phone_numbers import stored

# A play that is cut off by a hang-up ends before its leg does, by some milliseconds.
_GOING_S = 0.5
# It has answered: its greeting begins. After the keys the extension begins to ring.
_SWITCHBOARD_S = 2.0


class CallOfLeg(Protocol):
    """What a leg needs of its call; see `call.Call`."""

    reactor: Any
    clock: Clock
    prompts: PromptBook
    manners: PhoneManners

    @property
    def principal(self) -> Leg | None: ...
    def end_error(self) -> CallError: ...
    def send(self, command: Command) -> None: ...
    def new_id(self) -> int: ...


class Leg:
    """A leg that rings, is up, or is gone.

    Whatever waits on a leg fails when it goes: with CallEnded if the call follows it, else with LegGone.
    """

    def __init__(self, call: CallOfLeg, record: LegRecord) -> None:
        self.call = call
        self.record = record
        self.leg_id = record.leg_id
        self.is_up = False
        self.is_gone = False
        self.is_on_hold = False  # by the hold key of its own phone
        self.key_listener: Callable[[Leg, str], None] | None = None
        self._waits: set[Deferred[Any]] = set()
        self._keys: deque[str] = deque()
        self._key_wait: Deferred[Any] | None = None
        self._answer_wait: Deferred[Any] | None = None
        self._play: int | None = None
        self._play_wait: Deferred[Any] | None = None
        self._play_stops_on_key = self._is_hushed = False

    @property
    def role(self) -> PartyRole:
        return self.record.role

    @property
    def went_silent(self) -> bool:
        """Whether it was ended because nothing came from its phone any more."""
        return self.record.cause == NO_SOUND

    # -- waiting ----------------------------------------------------------------------------------------------

    def wait(self, timeout_s: float | None = None) -> Deferred[Any]:
        """Return a Deferred for somebody to fire; None after `timeout_s`; fails when the leg goes."""
        if self.is_gone:
            return fail(self.gone_error())
        waiting: Deferred[Any] = Deferred()
        self._waits.add(waiting)
        timer = None
        if timeout_s is not None:
            timer = self.call.reactor.callLater(timeout_s, waiting.callback, None)

        def over(result: Any) -> Any:
            self._waits.discard(waiting)
            if timer is not None and timer.active():
                timer.cancel()
            return result

        waiting.addBoth(over)
        return waiting

    def all_waits(self) -> tuple[Deferred[Any], ...]:
        return tuple(self._waits)

    def gone_error(self) -> CallError:
        if self is self.call.principal:
            return self.call.end_error()
        return LegGone(self.record.cause or f"SIP {self.record.sip_status}")

    def fail_waits(self, error: CallError) -> None:
        """Let everything that waits on this leg fail with `error`."""
        fail_all((self,), error)

    # -- what the line tells ----------------------------------------------------------------------------------

    def on_answered(self) -> None:
        self.is_up = True
        self.record.answered_at = self.call.clock.now()
        _fire(self._answer_wait, True)

    def on_key(self, digit: str) -> None:
        if self.key_listener is not None:
            self.key_listener(self, digit)
        elif self._key_wait is not None and not self._key_wait.called:
            _fire(self._key_wait, digit)
        else:
            self._keys.append(digit)
            if self._play_stops_on_key:
                # the line does so too, but this key may have been on its way when the play began
                self.hush()

    def on_play_ended(self, play: int, finished: bool) -> None:
        if play == self._play:
            self._play = None
            _fire(self._play_wait, finished)

    def follow_redirect(self, record: LegRecord) -> None:
        """Go on as another leg of the line: the phone has sent us somewhere else."""
        self.record, self.leg_id = record, record.leg_id

    def on_ended(self, event: LegEnded | None) -> None:
        """Take note that the leg is gone (None: its line died); the call then fails what waits on it."""
        if self.is_gone:
            return
        self.is_gone, self.is_up = True, False
        self.record.ended_at = self.call.clock.now()
        if event is not None:
            self.record.sip_status = event.sip_status
            self.record.rx_packets, self.record.tx_packets = event.rx_packets, event.tx_packets
        if not self.record.cause:
            self.record.cause = "line died" if event is None else _cause(event)

    # -- verbs ------------------------------------------------------------------------------------------------

    async def answer(self) -> None:
        """Answer with 200 OK and wait for the ACK."""
        self._answer_wait = self.wait()
        self.call.send(Answer(self.leg_id))
        await self._answer_wait

    def announce_ringing(self) -> None:
        """Send 180 Ringing."""
        self.call.send(Progress(self.leg_id))

    async def answered(self, timeout_s: float) -> None:
        """Wait until the called phone answers; LegGone if it refuses or has not answered after `timeout_s`.

        Behind a switchboard that is the extension of the number: its keys are pressed for it.
        """
        if self.is_up:
            return
        self._answer_wait = self.wait(timeout_s)
        if await self._answer_wait is None and not self.is_up:
            self.hangup("no answer")
            raise LegGone("no answer")
        await self._through_switchboard()

    async def _through_switchboard(self) -> None:
        number = stored(self.record.number)
        if number is not None and number.extension:
            await self.wait(_SWITCHBOARD_S)
            self.call.send(SendKeys(self.leg_id, number.extension))
            await self.wait(_SWITCHBOARD_S)

    def hangup(self, cause: str = "", sip_status: int = 0) -> None:
        """End the leg; the record keeps `cause` as the reason."""
        if not self.is_gone:
            self.record.cause = self.record.cause or cause
            self.call.send(Hangup(self.leg_id, sip_status))

    def play_files(self, files: Iterable[str], *, loop: bool = False, stop_on_key: bool = False) -> int:
        """Start to play files, in place of what the leg heard before; return the id of the play."""
        self._play, self._play_stops_on_key, self._is_hushed = self.call.new_id(), stop_on_key, False
        self.call.send(Play(self.leg_id, self._play, tuple(files), loop=loop, stop_on_key=stop_on_key))
        return self._play

    def hush(self) -> None:
        """Stop what is played to the leg."""
        self._is_hushed = True
        if self._play is not None:
            self.call.send(Stop(self._play))

    async def say(self, prompt: Prompt, *, stop_on_key: bool = False, **values: object) -> None:
        """Speak a prompt to its end, or to the first key with `stop_on_key`: one pressed ahead counts too."""
        if stop_on_key and self._keys:
            return
        await self._say_files(await self.call.prompts.files(prompt, **values), stop_on_key=stop_on_key)

    async def say_files(self, files: Iterable[str], *, stop_on_key: bool = False) -> None:
        """Play sound files to their end, or to the first key with `stop_on_key`."""
        if stop_on_key and self._keys:
            return
        await self._say_files(files, stop_on_key=stop_on_key)

    async def _say_files(self, files: Iterable[str], *, stop_on_key: bool = False) -> None:
        if self.is_gone:
            raise self.gone_error()
        self.play_files(files, stop_on_key=stop_on_key)
        self._play_wait = self.wait()
        was_finished = await self._play_wait
        if not was_finished and not stop_on_key and not self._is_hushed:
            await self.wait(_GOING_S)  # nobody of ours has stopped it: what comes next must not begin

    def forget_keys(self) -> None:
        """Drop keys pressed ahead, where the next question must not be answered by accident."""
        self._keys.clear()

    async def next_key(self, timeout_s: float) -> str | None:
        """Return the next key, pressed ahead or within `timeout_s`; None if there is none."""
        if self._keys:
            return self._keys.popleft()
        self._key_wait = self.wait(timeout_s)
        digit: str | None = await self._key_wait
        return digit

    async def ask(
        self,
        prompt: Prompt,
        choices: str,
        *,
        otherwise: str = "",
        again: Prompt | None = None,
        retries: int | None = None,
        first_digit_s: float | None = None,
        **values: object,
    ) -> str:
        """Speak a question and return the key chosen of `choices`, or `otherwise` after the last try.

        Keys are live during the prompt. A wrong key or none asks again, with the prompt `again` if given.
        """
        manners = self.call.manners
        tries = 1 + (manners.retries if retries is None else retries)
        patience_s = manners.first_digit_s if first_digit_s is None else first_digit_s
        for turn in range(tries):
            question = again if turn and again is not None else prompt
            digit = await self._question(question, patience_s, values)
            if digit is not None and digit in choices:
                return digit
            if digit is not None and turn + 1 < tries:
                await self.say(Prompt.NOT_UNDERSTOOD, stop_on_key=True)
        return otherwise

    async def keys(self, prompt: Prompt, max_digits: int, **values: object) -> str:
        """Speak a question and return the digits keyed until `#`, `max_digits` or a pause; may be empty."""
        typed = ""
        digit = await self._question(prompt, self.call.manners.first_digit_s, values)
        while digit is not None and digit != "#":
            typed += digit
            if len(typed) == max_digits:
                break
            digit = await self.next_key(self.call.manners.between_digits_s)
        return typed

    async def _question(self, prompt: Prompt, patience_s: float, values: dict[str, object]) -> str | None:
        await self.say(prompt, stop_on_key=True, **values)
        return await self.next_key(patience_s)


def fail_all(legs: Iterable[Leg], error: CallError) -> None:
    """Let everything that waits on any of `legs` at this moment fail, but nothing that begins to wait thereupon."""
    for waiting in [waiting for leg in legs for waiting in leg.all_waits()]:
        if not waiting.called:
            waiting.errback(error)


def _fire(waiting: Deferred[Any] | None, value: object) -> None:
    if waiting is not None and not waiting.called:
        waiting.callback(value)


def _cause(event: LegEnded) -> str:
    by = "remote" if event.by_remote else "local"
    return f"{by} {event.sip_status} {event.reason}".strip()
