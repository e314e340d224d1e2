"""The town around the node: enterprises, specialists and leaders with their phones, and who does what by seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from twisted.internet.task import Clock as VirtualTime

from ivr.line import messages as m
from ivr.speech.prompts import Prompt
from routing.clock import SHANGHAI, Clock
from tests.fakes.event_log import EventLog
from tests.fakes.line import CALLER_LEG, Behaviour, FakePrompts, FakeSlot
from tests.redis.kill.witness import Witness

TUESDAY_EVENING = datetime(2026, 3, 10, 20, 0, tzinfo=SHANGHAI)
DUE_AT = datetime(2026, 3, 11, 10, 0, tzinfo=SHANGHAI)
ENDS_AT = datetime(2026, 3, 11, 12, 12, tzinfo=SHANGHAI)
LATE_BELL = DUE_AT - timedelta(seconds=25)  # when the punctual one wishes to be rung

PUNCTUAL, REFUSED_BY_THE_STRICT = "13900000001", "13900000004"
# number -> the key of its matter: 1 and 4 are the market's, 2 tax, 3 social insurance
ENTERPRISES = {f"1390000000{n}": key for n, key in enumerate("22113341")}
_LUNCH_CALLER = "13900000007"
LEADERS = frozenset({"6109", "6119", "6129", "6139"})
# What a caller, an enterprise in a survey, and a leader press when they hear something.
_KEYS = {
    Prompt.ASK_NUMBER_OWN: "1", Prompt.MESSAGE_REVIEW: "1", Prompt.SURVEY_LEVEL: "5", Prompt.SURVEY_SOLVED: "1",
    Prompt.CALLBACK_LEADER_REMINDER: "1",
}  # fmt: skip
_LINES, _FOR_CALLERS = 10, 3


@dataclass(frozen=True)
class Caller:
    """Somebody who rings in `at`, and will ring again until a number is told to him."""

    number: str
    at: datetime


def callers() -> list[Caller]:
    """Return who rings in: most of them in the evening, one of them twice, one at noon of the next day."""
    evening = [number for number in ENTERPRISES if number != _LUNCH_CALLER]
    found = [Caller(number, TUESDAY_EVENING + timedelta(seconds=18 * n)) for n, number in enumerate(evening)]
    found.append(Caller(evening[2], TUESDAY_EVENING + timedelta(minutes=5)))
    found.append(Caller(_LUNCH_CALLER, DUE_AT.replace(hour=12, minute=2)))
    return found


def behaviour(number: str, at: datetime, seed: int) -> Behaviour:
    """Return what a phone does that is rung `at`."""
    chance = Random(f"{seed}/{number}/{at:%H:%M}")
    if number in ENTERPRISES:
        return _enterprise(number, at, chance)
    if number in LEADERS:
        return Behaviour(answers_after_s=3.0)
    return _specialist(number, chance)


def _enterprise(number: str, at: datetime, chance: Random) -> Behaviour:
    if number == PUNCTUAL:  # rung before the deadline, on the phone after it
        return Behaviour(answers_after_s=21.0, hangs_up_after_s=40.0)
    if number.endswith("3") and at < DUE_AT - timedelta(minutes=50):
        return Behaviour(refuses_with=486)
    if number.endswith("5"):
        return Behaviour(answers_after_s=2.0, hangs_up_after_s=6.0)  # never ten seconds
    if number.endswith("6"):
        return Behaviour(answers_after_s=None)
    talks_s = chance.uniform(10.0, 45.0) if number.endswith("0") else None  # the others leave it to the specialist
    return Behaviour(answers_after_s=chance.uniform(1.0, 6.0), hangs_up_after_s=talks_s)


def _specialist(number: str, chance: Random) -> Behaviour:
    if number in ("6121", "6122"):
        return Behaviour(answers_after_s=3.0)  # a voicemail: only the second tier of this unit is there
    key = "1" if number == "6111" else chance.choices(["1", "2", "3", ""], [80, 6, 6, 8])[0]
    return Behaviour(
        answers_after_s=chance.uniform(1.0, 4.0), presses=key, presses_after_s=1.5, hangs_up_after_s=70.0
    )


class TownPrompts(FakePrompts):
    """Prompts without sound; one that tells an order's number has that as its second file."""

    async def files(self, prompt: Prompt, **values: object) -> tuple[str, ...]:
        files = await super().files(prompt, **values)
        return (*files, f"order:{values['order_id']}") if "order_id" in values else files


class TownLines:
    """The lines of the node; every phone rung over one of them tells the witness what happens to it."""

    def __init__(self, time: VirtualTime, clock: Clock, witness: Witness, seed: int) -> None:
        self.time, self.clock, self.witness, self.seed = time, clock, witness, seed
        self.busy: set[TownSlot] = set()
        self._made = 0
        self._is_drained = False

    def take(self, for_callback: bool = False) -> TownSlot | None:
        if self._is_drained or len(self.busy) >= (_LINES - _FOR_CALLERS if for_callback else _LINES):
            return None
        self._made += 1
        slot = TownSlot(self, self._made, for_callback)
        self.busy.add(slot)
        return slot

    def drain(self) -> None:
        """Give no line any more, as the pool of a node that is to end."""
        self._is_drained = True

    def free_for_callbacks(self) -> int:
        return 0 if self._is_drained else max(0, _LINES - _FOR_CALLERS - len(self.busy))


class TownSlot(FakeSlot):
    """A line, and the people at its far ends."""

    def __init__(self, lines: TownLines, number: int, for_callback: bool) -> None:
        self.lines, self.number = lines, number
        self.caller = ""  # who rang in
        self.on_told: Callable[[str, str], None] = lambda number, order_id: None
        self._joined_at: datetime | None = None
        super().__init__(lines.time, {}, EventLog())
        if for_callback:
            self.live.clear()

    def release(self) -> None:
        super().release()
        self.lines.busy.discard(self)

    def saw(self, what: str, leg: int, **fields: Any) -> None:
        number = self.number_of(leg)
        self.lines.witness.saw(what, self.lines.clock.now(), line=self.number, number=number, **fields)

    def number_of(self, leg: int) -> str:
        return self.caller if leg == CALLER_LEG else self.rung[leg]

    # -- phones -------------------------------------------------------------------------------------------------------

    def _ring(self, command: m.Ring) -> None:
        number = command.uri.removeprefix("sip:").partition("@")[0]
        self.phones[number] = behaviour(number, self.lines.clock.now(), self.lines.seed)
        super()._ring(command)
        self.has_rung(command.leg)

    def has_rung(self, leg: int) -> None:
        self.saw("rung", leg)

    def _picked_up(self, leg: int, phone: Behaviour) -> None:
        if leg in self.live:
            self.has_answered(leg)
        super()._picked_up(leg, phone)

    def has_answered(self, leg: int) -> None:
        self.saw("answered", leg)

    def press(self, leg: int, digit: str) -> None:
        if leg in self.live:
            self.saw("pressed", leg, key=digit)
        super().press(leg, digit)

    def end(
        self, leg: int, sip_status: int = 200, by_remote: bool = True, redirected_to: str = ""
    ) -> None:
        if leg in self.live:
            self._note_talk()
            self.saw("ended", leg)
        super().end(leg, sip_status, by_remote, redirected_to)
        if len(self.joined_now()) < 2:
            self._joined_at = None

    def _answer(self, command: m.Answer) -> None:
        super()._answer(command)
        self.saw("answered_by_us", command.leg)

    # -- talk ---------------------------------------------------------------------------------------------------------

    def _bridge(self, command: m.Bridge) -> None:
        super()._bridge(command)
        if len(self.joined_now()) >= 2:
            self._joined_at = self.lines.clock.now()
            self.lines.witness.saw(
                "joined", self._joined_at, line=self.number, numbers=[self.number_of(leg) for leg in command.legs]
            )

    def _note_talk(self) -> None:
        if self._joined_at is not None:
            talked_s = (self.lines.clock.now() - self._joined_at).total_seconds()
            self.lines.witness.saw("talked", self.lines.clock.now(), line=self.number, talked_s=talked_s)

    def _beat(self) -> None:
        if self.is_released:
            return
        self._note_talk()
        if self._joined_at is not None:
            self.talks_on()
        super()._beat()

    def talks_on(self) -> None:
        """Another second of talk: a place for a trap."""

    # -- what is heard, and done about it -----------------------------------------------------------------------------

    def _play(self, command: m.Play) -> None:
        super()._play(command)
        if command.leg not in self.live:
            return
        prompt = Prompt(command.files[0]) if command.files[0] in {one.value for one in Prompt} else None
        if command.leg == CALLER_LEG:
            told = [file.removeprefix("order:") for file in command.files if file.startswith("order:")]
            for order_id in told:
                self.saw("told", command.leg, order_id=order_id)
                self.on_told(self.caller, order_id)
            if prompt is Prompt.MENU_CLOSED:
                self.time.callLater(1.0, self.press, command.leg, ENTERPRISES[self.caller])
        if prompt in _KEYS:
            self.time.callLater(1.0, self.press, command.leg, _KEYS[prompt])

    def _record(self, command: m.Record) -> None:
        super()._record(command)
        if command.legs == (CALLER_LEG,):
            self.time.callLater(5.0, self.press, CALLER_LEG, "#")  # the message is said
