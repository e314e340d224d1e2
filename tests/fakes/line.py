"""Stand-ins for unit tests: a line whose people act by a virtual clock, prompts without sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock as VirtualTime

from callback_scheduler.timetable.may_dial import DialFor
from config.settings import Settings
from ivr.calls.call import Call
from ivr.calls.cdr import CallRecord, new_call_id
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.presence import Presence
from ivr.calls.services import CallServices
from ivr.dispatch.runner import run_call
from ivr.line import messages as m
from ivr.speech.prompts import Prompt
from routing.clock import SHANGHAI, MovableClock
from routing.site import Site
from tests.fakes.event_log import SENT, EventLog
from tests.fakes.ledger import CALLER_NUMBER, FakeLedger

PROMPT_S = 2.0
CALLER_LEG = 2
MORNING = datetime(2026, 3, 10, 10, 30, tzinfo=SHANGHAI)


class FakePrompts:
    """Every prompt is one file, named by its key."""

    async def files(self, prompt: Prompt, **values: object) -> tuple[str, ...]:
        missing = prompt.takes - values.keys()
        assert not missing, f"{prompt} lacks {missing}"
        return (prompt.value,)

    def files_now(self, prompt: Prompt) -> tuple[str, ...]:
        return (prompt.value,)


@dataclass
class Behaviour:
    """What a rung phone does: answers after so many seconds, presses keys so long after, hangs up after; or refuses."""

    answers_after_s: float | None = 1.0
    presses: str = ""
    presses_after_s: float = 1.0
    hangs_up_after_s: float | None = None
    refuses_with: int = 0
    redirects_to: str = ""


Phones = dict[str, Behaviour]


class FakeSlot:
    """A line in virtual time: every prompt takes two seconds, every phone does what its Behaviour says."""

    line_id, pid, sip_port = 1, 4711, 5999

    def __init__(self, time: VirtualTime, phones: dict[str, Behaviour], log: EventLog, max_legs: int = 4) -> None:
        self.time = time
        self.log = log
        self.phones = phones
        self.max_legs = max_legs
        self.listener: Callable[[m.Event], None] | None = None
        self.sent: list[m.Command] = []
        self.live: set[int] = {CALLER_LEG}
        self.up: set[int] = set()
        self.rung: dict[int, str] = {}
        self.bridges: list[tuple[float, tuple[int, ...]]] = []
        self.recorded: dict[int, tuple[int, ...]] = {}
        self.is_released = False
        self.cuts_recordings = ""  # why their sound does not come to disk
        self._next = 1
        self._plays: dict[int, m.Play] = {}
        self._recordings: dict[int, tuple[m.Record, float]] = {}
        self._packets: dict[int, int] = {}
        self.dark: set[int] = set()  # phones that have lost power: they send nothing, and say nothing
        self._beat()

    @property
    def legs_free(self) -> int:
        return self.max_legs - len(self.live)

    def new_leg(self) -> int:
        self._next += 2
        return self._next

    def release(self) -> None:
        self.is_released = True

    def tell(self, event: m.Event) -> None:
        if self.listener is not None:
            self.listener(event)

    def die(self, event: m.Event) -> None:
        self.live.clear()
        self.tell(event)

    def send(self, command: m.Command) -> None:
        self.sent.append(command)
        self.log.add(SENT, type(command).__name__, command)
        act = getattr(self, f"_{type(command).__name__.lower()}", None)
        if act is not None:
            act(command)

    # -- what the line does -----------------------------------------------------------------------------------

    def _answer(self, command: m.Answer) -> None:
        self.up.add(command.leg)
        self._soon(0.01, m.LegAnswered(command.leg))

    def _ring(self, command: m.Ring) -> None:
        number = command.uri.removeprefix("sip:").partition("@")[0]
        assert self.legs_free > 0, "a fifth leg was rung"
        self.live.add(command.leg)
        self.rung[command.leg] = number
        phone = self.phones.get(number, Behaviour(answers_after_s=None))
        if phone.redirects_to:
            self.time.callLater(0.1, self.end, command.leg, 302, True, phone.redirects_to)
        elif phone.refuses_with:
            self.time.callLater(0.1, self.end, command.leg, phone.refuses_with)
        elif phone.answers_after_s is not None:
            self.time.callLater(phone.answers_after_s, self._picked_up, command.leg, phone)

    def _picked_up(self, leg: int, phone: Behaviour) -> None:
        if leg not in self.live:
            return
        self.up.add(leg)
        self.tell(m.LegAnswered(leg))
        for place, digit in enumerate(phone.presses):
            self.time.callLater(phone.presses_after_s + place * 0.3, self.press, leg, digit)
        if phone.hangs_up_after_s is not None:
            self.time.callLater(phone.hangs_up_after_s, self.end, leg)

    def press(self, leg: int, digit: str) -> None:
        if leg not in self.live:
            return
        for play in [play for play in self._plays.values() if play.leg == leg and play.stop_on_key]:
            self._over(play, finished=False)
        self.tell(m.KeyPressed(leg, digit))

    def end(self, leg: int, sip_status: int = 200, by_remote: bool = True, redirected_to: str = "") -> None:
        if leg not in self.live:
            return
        self.live.discard(leg)
        self.up.discard(leg)
        for play in [play for play in self._plays.values() if play.leg == leg]:
            self._over(play, finished=False)
        self.tell(m.LegEnded(leg, sip_status, by_remote=by_remote, redirected_to=redirected_to))

    def _hangup(self, command: m.Hangup) -> None:
        self.time.callLater(0.01, self.end, command.leg, 200, False)

    def _play(self, command: m.Play) -> None:
        for play in [play for play in self._plays.values() if play.leg == command.leg]:
            self._over(play, finished=False)
        if command.leg not in self.live:
            self._soon(0.0, m.PlayEnded(command.leg, command.play, False))
            return
        self._plays[command.play] = command
        if not command.loop:
            self.time.callLater(PROMPT_S * len(command.files), self._over, command, True)

    def _over(self, play: m.Play, finished: bool) -> None:
        if self._plays.pop(play.play, None) is not None:
            self.tell(m.PlayEnded(play.leg, play.play, finished))

    def _stop(self, command: m.Stop) -> None:
        if (play := self._plays.get(command.play)) is not None:
            self._over(play, False)

    def _bridge(self, command: m.Bridge) -> None:
        self.bridges.append((self.time.seconds(), command.legs))

    def _record(self, command: m.Record) -> None:
        self.recorded[command.recording] = command.legs
        if command.recording not in self._recordings:
            self._recordings[command.recording] = command, self.time.seconds()
            if command.max_s:
                self.time.callLater(command.max_s, self._record_over, command.recording)

    def _stoprecord(self, command: m.StopRecord) -> None:
        self.time.callLater(0.01, self._record_over, command.recording)

    def _record_over(self, recording: int) -> None:
        found = self._recordings.pop(recording, None)
        if found is not None:
            command, since_s = found
            self.tell(m.RecordEnded(recording, command.path, int((self.time.seconds() - since_s) * 1000),
                                    cut_because=self.cuts_recordings))  # fmt: skip

    def _beat(self) -> None:
        for leg in self.up & self.live:
            self._packets[leg] = self._packets.get(leg, 0) + (0 if leg in self.dark else 50)
        counts = dict(self._packets)
        self.tell(m.Heartbeat(counts, counts, monotonic_s=self.time.seconds()))
        self.time.callLater(1.0, self._beat)

    def _soon(self, delay_s: float, event: m.Event) -> None:
        self.time.callLater(delay_s, self.tell, event)

    # -- what a test asks -------------------------------------------------------------------------------------

    def hears(self, leg: int) -> str:
        """Return the first file a leg is being played, "" for none."""
        return next((play.files[0] for play in self._plays.values() if play.leg == leg), "")

    def played(self, leg: int) -> list[str]:
        """Return the first file of every play a leg was given, in order."""
        return [command.files[0] for command in self.sent if isinstance(command, m.Play) and command.leg == leg]

    def legs_of(self, number: str) -> list[int]:
        return [leg for leg, rung in self.rung.items() if rung == number]

    def overhears(self, leg: int) -> tuple[set[int], set[int]]:
        """Return whom a leg outside the bridge hears now, and by whom it is heard."""
        told = [command for command in self.sent if isinstance(command, m.Overhear) and command.leg == leg]
        return (set(told[-1].hears) & self.live, set(told[-1].heard_by) & self.live) if told else (set(), set())

    def joined_now(self) -> set[int]:
        """Return the legs of the last bridge that are still there."""
        return set(self.bridges[-1][1]) & self.live if self.bridges else set()


class Story:
    """One call in virtual time: the caller's keys, the phones' behaviour, and what came of it."""

    def __init__(
        self, site: Site, folder: Path, at: datetime, phones: dict[str, Behaviour],
        *, ledger: FakeLedger | None = None, caller: str = CALLER_NUMBER, presence: Presence | None = None,
        **manners: object,
    ) -> None:
        self.time = VirtualTime()
        self.clock = MovableClock(at, monotonic=self.time.seconds)
        settings: Settings = site.settings
        phone = settings.phone.model_copy(update=manners)
        settings = settings.model_copy(update={"phone": phone})
        self.ledger = ledger or FakeLedger()
        self.ledger.time = self.time
        self.log = self.ledger.log
        self.slot = FakeSlot(self.time, phones, self.log)
        self.presence = presence or Presence()
        office = self.office = Office(settings, site.directory, site.calendar, site.hours, self.clock)
        services = self.services = CallServices(
            self.time, self.clock, FakePrompts(), phone, self.presence, folder,  # type: ignore[arg-type]
            lambda number: (f"sip:{number}@127.0.0.1", "12345"), self.time.seconds,
            may_ring=lambda number: office.may_dial_now("", number, DialFor.LIVE) is None,
        )
        at = self.clock.now()
        record = CallRecord(new_call_id(at), "sip-call-id", caller, "12345", offered_at=at)
        self.call = Call(self.slot, services, record)
        self.orders = Orders(self.ledger, office)  # type: ignore[arg-type]
        self.done: Deferred[None] = ensureDeferred(run_call(self.call, office, self.orders))
        self.slot.tell(m.LegIncoming(CALLER_LEG, "sip-call-id", f"sip:{caller}@x", "sip:12345@x"))

    @property
    def record(self) -> CallRecord:
        return self.call.record

    def run(self, seconds: float) -> Story:
        """Let time pass, in steps of 50 ms."""
        for _ in range(round(seconds / 0.05)):
            self.time.advance(0.05)
        return self

    def caller_presses(self, keys: str) -> Story:
        for digit in keys:
            self.slot.press(CALLER_LEG, digit)
            self.run(0.2)
        return self

    def caller_hangs_up(self) -> Story:
        self.slot.end(CALLER_LEG)
        return self.run(0.1)

    def end_everything(self) -> Story:
        """All hang up."""
        for leg in sorted(self.slot.live):
            self.slot.end(leg)
        return self

    def until_heard(self, prompt: Prompt, leg: int = CALLER_LEG, timeout_s: float = 90.0) -> Story:
        """Let time pass until a leg is played a prompt."""
        for _ in range(round(timeout_s / 0.05)):
            if self.slot.hears(leg) == prompt.value:
                return self
            self.time.advance(0.05)
        raise AssertionError(f"leg {leg} never heard {prompt.value}; it heard {self.slot.played(leg)}")

    def finish(self, timeout_s: float = 900.0) -> Story:
        """Let time pass until the call is over and its record written."""
        for _ in range(round(timeout_s / 0.05)):
            if self.done.called:
                break
            self.time.advance(0.05)
        assert self.done.called, f"the call never ended: {self.record.steps}"
        assert self.slot.is_released, "the line was not given back"
        return self
