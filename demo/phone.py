"""A telephone with blocking verbs, for the people in the demo and in tests."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from demo.phone_log import LogEntry, PhoneLog, ProcessGone
from ivr.line.messages import (
    Answer,
    Event,
    Hangup,
    Heartbeat,
    Hello,
    KeyPressed,
    LegAnswered,
    LegEnded,
    LegIncoming,
    LegRinging,
    Play,
    PlayEnded,
    Progress,
    Record,
    RecordEnded,
    Reject,
    Ring,
    SendKeys,
    Stop,
    StopRecord,
)

E = TypeVar("E", bound=Event)


class Process(Protocol):
    """The phone's line process, as the exchange keeps it."""

    def send(self, command: object) -> None:
        """Send a command; without effect when the process is gone."""

    def end(self, kill: bool) -> None:
        """End the process and return when it is gone."""


@dataclass(frozen=True, slots=True)
class _Manners:
    """What the phone does by itself when it rings; nothing set: it rings until its owner does something."""

    answer_after_s: float | None = None
    then_press: str = ""
    press_after_s: float = 0.0
    reject_with: int = 0


class Phone:
    """One telephone, one conversation at a time; a second call to it gets 486 Busy Here.

    Each wait_* looks at what came after the event that the wait before it returned, and dial() starts afresh: so a
    story told in order misses nothing, however quickly things happened. Each raises PhoneHeardOtherwise with the
    phone's whole log when it waits in vain. Made by PhoneExchange.phone().
    """

    def __init__(self, name: str, number: str, process: Process, tone_hz: int = 0,
                 tone_file: Path | None = None) -> None:
        self.name = name
        self.number = number
        self.tone_hz = tone_hz
        self.pid = 0
        self.sip_port = 0
        self.rx_packets = 0
        self._tone_file = tone_file
        self._process = process
        self._send = process.send
        self._log = PhoneLog(f"{name} ({number})")
        self._manners = _Manners()
        self._leg: int | None = None
        self._dialled: int | None = None
        self._leg_ids = itertools.count(1, 2)  # odd, as the node's: the line itself numbers incoming legs
        self._ids = itertools.count(1)
        self._play: int | None = None
        self._recording: int | None = None
        self._timers: list[threading.Timer] = []

    def __repr__(self) -> str:
        return f"<Phone {self.name} {self.number} port {self.sip_port}>"

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what its owner does ------------------------------------------------------------------------------------

    def dial(self, uri: str, from_number: str | None = None, headers: dict[str, str] | None = None) -> None:
        """Call `uri`, showing `from_number` (else the phone's own); wait_ringing, wait_answered tell how it goes."""
        with self._log.lock:
            if self._leg is not None:
                raise self._log.trouble("cannot dial in a call")
            self._leg = self._dialled = next(self._leg_ids)
            self.rx_packets = 0
            self._log.note(f"dials {uri}")
            self._log.start_afresh()
            self._send(Ring(self._leg, uri, self.number if from_number is None else from_number, "", headers or {}))

    def pick_up(self) -> None:
        """Pick up the ringing phone; the other side may not hear of it yet."""
        with self._log.lock:
            self._send(Answer(self._live_leg("answer")))
            self._log.note("picks up")

    def answer(self) -> LegAnswered:
        """Pick up the ringing phone; return when the call is up."""
        self.pick_up()
        return self.wait_answered()

    def reject(self, sip_status: int = 486) -> None:
        """Refuse the call that rings."""
        with self._log.lock:
            self._send(Reject(self._live_leg("reject"), sip_status))
            self._log.note(f"rejects with {sip_status}")

    def press(self, keys: str, method: str = "rfc4733") -> None:
        """Press keys, 0-9 * #; `method` is rfc4733 or info. Returns at once, the line sends one after the other."""
        with self._log.lock:
            self._send(SendKeys(self._live_leg("press keys"), keys, method))
            self._log.note(f"presses {keys}")

    def talk(self) -> None:
        """Say the phone's own tone until hush()."""
        if self._tone_file is None:
            raise ValueError(f"{self.name} has no tone_hz to talk with")
        self.say(self._tone_file, loop=True)

    def say(self, *files: Path, loop: bool = False) -> None:
        """Say 8 kHz WAV files in place of what the phone says now; wait_said() returns at their end."""
        with self._log.lock:
            leg = self._live_leg("talk")
            self._play = next(self._ids)
            self._log.note("says " + " ".join(file.name for file in files))
            self._send(Play(leg, self._play, tuple(str(file) for file in files), loop))

    def hush(self) -> None:
        """Say nothing more."""
        with self._log.lock:
            if self._play is not None:
                self._send(Stop(self._play))
                self._play = None
                self._log.note("falls silent")

    def listen_to(self, path: Path) -> None:
        """Write what the phone hears from now on into a WAV file, until stop_listening() or the end of the call."""
        with self._log.lock:
            leg = self._live_leg("listen")
            self._recording = next(self._ids)
            self._log.note(f"listens, into {path.name}")
            self._send(Record(self._recording, str(path), (leg,)))

    def stop_listening(self, timeout_s: float = 5.0) -> RecordEnded:
        """Close the recording; return its path and duration when the file is whole, also after the call."""
        wanted, self._recording = self._recording, None
        if wanted is None:
            raise self._log.trouble("was not listening")
        self._send(StopRecord(wanted))
        return self._log.wait_for("its recording to be closed", RecordEnded, timeout_s,
                                  fits=lambda event: event.recording == wanted, anywhere=True)

    def hangup(self, timeout_s: float = 5.0) -> LegEnded | None:
        """Hang up and return when the call is over; None when there was none."""
        with self._log.lock:
            leg = self._leg
            if leg is None:
                return None
            self._log.note("hangs up")
            self._send(Hangup(leg))
        return self._log.wait_for("its own hang-up", LegEnded, timeout_s,
                                  fits=lambda event: event.leg == leg, anywhere=True)

    def close(self) -> None:
        """Hang up whatever there is, and end the phone's process."""
        self._process.end(kill=False)

    def kill(self) -> None:
        """End the phone's process with kill -9: no BYE, its RTP just stops."""
        self._process.end(kill=True)

    # -- what it does by itself ---------------------------------------------------------------------------------

    def auto_answer(self, after_s: float = 0.0, then_press: str = "", press_after_s: float = 0.5) -> Phone:
        """Answer each call after so many seconds of ringing, then press keys if any; return the phone."""
        self._manners = _Manners(answer_after_s=after_s, then_press=then_press, press_after_s=press_after_s)
        return self

    def auto_reject(self, sip_status: int = 486) -> Phone:
        """Refuse each call with this status; return the phone."""
        self._manners = _Manners(reject_with=sip_status)
        return self

    def never_answer(self) -> Phone:
        """Ring and ring, unless answer() is called; how a new phone behaves. Return the phone."""
        self._manners = _Manners()
        return self

    # -- what it waits for, and what it knows -------------------------------------------------------------------

    def wait_ringing(self, timeout_s: float = 5.0) -> LegRinging | LegIncoming:
        """Wait until this phone rings, or the one it dialled; return that event."""
        event = self._log.wait_for("ringing", (LegRinging, LegIncoming), timeout_s, leg=self._dialled)
        assert isinstance(event, (LegRinging, LegIncoming))
        return event

    def wait_answered(self, timeout_s: float = 5.0) -> LegAnswered:
        """Wait until the call is up, whichever side answered it."""
        return self._log.wait_for("an answered call", LegAnswered, timeout_s, leg=self._dialled)

    def wait_ended(self, timeout_s: float = 5.0) -> LegEnded:
        """Wait until the call is over; its sip_status and by_remote tell how."""
        return self._log.wait_for("the end of the call", LegEnded, timeout_s)

    def wait_said(self, timeout_s: float = 30.0) -> PlayEnded:
        """Wait until the files of say() have been said to their end."""
        return self._log.wait_for("the end of what it says", PlayEnded, timeout_s,
                                  fits=lambda event: event.finished, leg=self._leg)

    def wait_key(self, digit: str, timeout_s: float = 5.0) -> KeyPressed:
        """Wait until the other side pressed this key."""
        return self._log.wait_for(f"key {digit}", KeyPressed, timeout_s,
                                  fits=lambda event: event.digit == digit, leg=self._leg)

    def events(self, kind: type[E]) -> list[E]:
        """Return all events of one kind so far, over all calls of this phone."""
        return self._log.events(kind)

    @property
    def log(self) -> list[LogEntry]:
        """Return what happened so far, with monotonic and wall seconds."""
        with self._log.lock:
            return list(self._log.entries)

    @property
    def uri(self) -> str:
        """Return the address at which it rings without any exchange between."""
        return f"sip:{self.number}@127.0.0.1:{self.sip_port}"

    @property
    def in_call(self) -> bool:
        """Tell whether it is dialling, ringing or talking."""
        return self._leg is not None

    def story(self) -> str:
        """Return the phone's log as text, seconds counted from its first line."""
        return str(self._log)

    # -- from its process (called by the exchange's threads) ----------------------------------------------------

    def heard(self, event: Event) -> None:
        """Take in an event of the phone's line."""
        with self._log.lock:
            if isinstance(event, Heartbeat):
                self.rx_packets = event.rx_packets.get(self._leg or 0, self.rx_packets)
                return
            if isinstance(event, Hello):
                self.pid, self.sip_port = event.pid, event.sip_port
            elif isinstance(event, LegEnded) and event.leg == self._leg:
                self._leg, self._play, self.rx_packets = None, None, event.rx_packets
            elif isinstance(event, ProcessGone):
                self._leg = None
                for timer in self._timers:
                    timer.cancel()
            self._log.add(event)
            if isinstance(event, LegIncoming):
                self._rung(event)
            elif isinstance(event, LegAnswered) and event.leg != self._dialled and self._manners.then_press:
                self._later(self._manners.press_after_s, SendKeys(event.leg, self._manners.then_press))

    def _rung(self, event: LegIncoming) -> None:
        refusal = 486 if self._leg is not None else self._manners.reject_with
        if refusal:
            self._send(Reject(event.leg, refusal))
            return
        self._leg, self.rx_packets = event.leg, 0
        self._send(Progress(event.leg, 180))
        if self._manners.answer_after_s is not None:
            self._later(self._manners.answer_after_s, Answer(event.leg))

    def _later(self, delay_s: float, command: Answer | SendKeys) -> None:
        def run() -> None:
            with self._log.lock:
                if self._leg == command.leg:
                    self._send(command)

        if delay_s <= 0:
            run()
            return
        timer = threading.Timer(delay_s, run)
        timer.daemon = True
        self._timers = [waiting for waiting in self._timers if waiting.is_alive()] + [timer]
        timer.start()

    def _live_leg(self, verb: str) -> int:
        if self._leg is None:
            raise self._log.trouble(f"cannot {verb} without a call")
        return self._leg
