"""The scenes of the demo: what people do on their phones, and what it must have come to."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from demo.exchange import PhoneExchange
from demo.phone import Phone
from demo.service import Service
from demo.switchboard import Switchboard
from demo.tones import AudioMatrix, tone_levels
from routing.clock import SHANGHAI

CALLER_NUMBER = "13912345678"
MORNING = datetime(2026, 3, 10, 10, 30, tzinfo=SHANGHAI)  # a Tuesday
EVENING = datetime(2026, 3, 10, 21, 0, tzinfo=SHANGHAI)
_RECORD_S = 10.0
LATER = timedelta(minutes=10)  # the last call is known by its time


@dataclass
class Proof:
    """One claim of a scene and whether it held."""

    claim: str
    held: bool
    seen: str = ""


class Audience(Protocol):
    """Whoever follows a scene while it is played."""

    def step(self, text: str) -> None:
        """Hear what somebody does."""

    def claim(self, proof: Proof) -> None:
        """Hear what was claimed, and whether it was so."""


@dataclass
class SceneReport:
    """What a scene proved; the audience hears of each claim at once."""

    title: str
    audience: Audience
    proofs: list[Proof] = field(default_factory=list)
    matrix: AudioMatrix | None = None
    call: dict[str, Any] = field(default_factory=dict)
    orders: list[dict[str, Any]] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def held(self) -> bool:
        return bool(self.proofs) and all(proof.held for proof in self.proofs)

    def prove(self, claim: str, held: bool, seen: object = "") -> None:
        """Add a claim."""
        self.proofs.append(Proof(claim, bool(held), str(seen)))
        self.audience.claim(self.proofs[-1])

    def tell(self, text: str) -> None:
        """Say what somebody does next."""
        self.audience.step(text)

    @property
    def proved(self) -> int:
        """How many claims held."""
        return sum(proof.held for proof in self.proofs)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return {
            "title": self.title,
            "proofs": [asdict(proof) for proof in self.proofs],
            "matrix": dict(self.matrix.levels_db) if self.matrix else None,
            "call": self.call,
            "orders": self.orders,
            "took_s": self.took_s,
            "held": self.held,
        }


class Stage:
    """The people and things every scene plays with; phones are at the numbers of the sample directory."""

    def __init__(self, exchange: PhoneExchange, switchboard: Switchboard, service: Service) -> None:
        self.exchange = exchange
        self.switchboard = switchboard
        self.service = service
        self.caller = exchange.phone("caller", CALLER_NUMBER, tone_hz=430)
        self.seat = self._connected("seat", "8001", 610)
        self.specialist = self._connected("specialist", "6101", 1060)
        self.voicemail = self._connected("voicemail", "6102", 1150)

    def _connected(self, name: str, number: str, tone_hz: int) -> Phone:
        phone = self.exchange.phone(name, number, tone_hz=tone_hz)
        self.switchboard.connect(number, phone.sip_port)
        return phone

    def last_call(self) -> dict[str, Any]:
        """Return the record of the call that ended last, once its end is in the store."""
        self.service.wait_idle()
        until = time.monotonic() + _RECORD_S
        while "outcome" not in (call := dict(self.service.ask("calls", limit=1)[0])):
            if time.monotonic() > until:
                raise TimeoutError(f"no end of {call['call_id']} in the store")
            time.sleep(0.05)
        return call

    def order(self, call: dict[str, Any]) -> dict[str, Any]:
        """Return the order a call led to."""
        return dict(self.service.ask("order", order_id=call["order_ids"][0]))


def three_way(stage: Stage, report: SceneReport) -> None:
    """10:30 on a workday: caller, seat, specialist; all three talk, the seat leaves, the caller rates."""
    stage.service.set_clock(MORNING)
    stage.switchboard.refuse("8002", 486)
    stage.switchboard.refuse("8003", 486)
    stage.switchboard.refuse("6102", 486)
    stage.seat.auto_answer(after_s=0.3)
    stage.specialist.auto_answer(after_s=0.3, then_press="1", press_after_s=0.5)
    _ring_12345(stage, report)
    report.tell("the caller presses 1, company registration, and waits for a seat")
    stage.caller.press("1")
    stage.seat.wait_answered(15)
    report.tell("seat 8001 answers, and hears a whisper: who is calling, about what")
    time.sleep(4.5)  # the whisper to the seat
    report.tell("the seat keys *#: a specialist of the bureau for this matter, please")
    stage.seat.press("*#")
    stage.specialist.wait_answered(15)
    report.tell("specialist 6101 answers and presses 1; now they are three, each with a tone of its own")
    time.sleep(2.0)  # key 1, and the conference joins three
    matrix = stage.exchange.audio_matrix(stage.caller, stage.seat, stage.specialist)
    report.matrix = matrix
    report.prove("caller, seat and specialist hear the other two, each ≥ 20 dB above its own return",
                 matrix.all_hear_each_other(), min(round(matrix.margin_db(name)) for name in matrix.levels_db))
    report.tell("the seat hangs up; caller and specialist talk on")
    stage.seat.hangup()
    stage.caller.talk()
    stage.specialist.talk()
    time.sleep(9.0)  # 10 s of two-way talk count as served
    pair = stage.exchange.audio_matrix(stage.caller, stage.specialist)
    report.prove("the seat has left and the two go on", pair.all_hear_each_other(), levels(pair))
    report.tell("the specialist hangs up; the caller rates by keys: 5, and 1 for solved")
    stage.specialist.hangup()
    time.sleep(0.5)
    stage.caller.press("5")
    time.sleep(0.7)
    stage.caller.press("1")
    stage.caller.wait_ended(15)
    call = report.call = stage.last_call()
    report.prove("the call counts as served, the transfer as accepted",
                 (call["outcome"], call["transfer"]) == ("served", "accepted"),
                 f"{call['outcome']}, {call['transfer']}")
    report.prove("two-way talk of 10 s or more", call["two_way_s"] >= 10.0, f"{call['two_way_s']} s")
    ratings = [each for each in stage.service.ask("surveys") if each["call_id"] == call["call_id"]]
    report.prove("好差评: 5, solved, kept apart from the record",
                 [(each["level"], each["is_solved"]) for each in ratings] == [(5, True)],
                 ", ".join(f"level {each['level']}, solved {each['is_solved']}" for each in ratings))
    report.prove("the talk is recorded", has_sound(call["recordings"][0], 430), call["recordings"][0])


def nobody_accepts(stage: Stage, report: SceneReport) -> None:
    """A busy seat, one specialist who is not at the desk, and a voicemail: an order, due the next workday."""
    stage.service.set_clock(MORNING + LATER)
    stage.switchboard.connect("6102", stage.voicemail.sip_port)
    stage.seat.auto_reject(486)
    stage.specialist.never_answer()
    stage.voicemail.auto_answer(after_s=0.3)  # answers, and presses no key
    stage.switchboard.refuse("6103", 480)
    _ring_12345(stage, report)
    report.tell("the caller presses 1; all seats are busy, so the specialists are rung")
    stage.caller.press("1")
    stage.voicemail.wait_answered(30)
    report.tell("6101 rings and rings; the voicemail of 6102 answers, and presses no key")
    wait_step(stage, "order", 30)
    report.tell("nobody has accepted: the caller hears the number of an order, and until when somebody rings back")
    stage.caller.wait_ended(60)
    call = report.call = stage.last_call()
    order = stage.order(call)
    report.orders.append(order)
    report.prove("nobody pressed 1: no transfer", call["transfer"] == "nobody", call["transfer"])
    answered = [leg for leg in call["legs"] if leg["number"] == "6102" and leg["answered_at"]]
    report.prove("a voicemail that answers is not a specialist who accepts",
                 bool(answered) and not answered[0]["accepted_at"])
    report.prove("an order, missed in hours, due the next workday 10:00",
                 (order["kind"], local(order["due_at"])) == ("missed", "2026-03-11 10:00"),
                 f"{order['order_id']} due {local(order['due_at'])}")


def after_hours(stage: Stage, report: SceneReport) -> None:
    """21:00: matter, own number, a message, the order number and a spoken deadline."""
    stage.service.set_clock(EVENING)
    caller = stage.caller
    _ring_12345(stage, report)
    report.tell("the caller presses 2: taxes")
    caller.press("2")  # through the greeting to the menu: tax
    wait_step(stage, "number")
    report.tell("the caller presses 1: ring me back at the number I call from")
    caller.press("1")  # ring back the number shown
    wait_step(stage, "message")
    _wait_recording(stage)
    report.tell("the caller speaks a message of four seconds")
    caller.talk()
    time.sleep(4.0)
    caller.hush()
    caller.press("#")
    time.sleep(0.7)
    report.tell("the caller keeps it, and hears the number of the order and the deadline")
    caller.press("1")  # keep it
    caller.wait_ended(40)
    call = report.call = stage.last_call()
    order = stage.order(call)
    report.orders.append(order)
    report.prove("a sub-urgent order for the tax bureau, due tomorrow 10:00",
                 (order["kind"], order["unit_id"], local(order["due_at"]))
                 == ("after_hours", "tax", "2026-03-11 10:00"),
                 f"{order['order_id']} {order['unit_id']} due {local(order['due_at'])}")
    report.prove("the message holds what the caller said", has_sound(order["message_path"], 430),
                 order["message_path"])


def line_killed(stage: Stage, report: SceneReport) -> None:
    """kill -9 of the line while a caller speaks a message: they are released, their order is kept."""
    stage.service.set_clock(EVENING + LATER)
    caller = stage.caller
    _ring_12345(stage, report)
    report.tell("the caller presses 3, social insurance, and 1: ring me back at this number")
    caller.press("3")
    wait_step(stage, "number")
    caller.press("1")
    _wait_recording(stage)
    report.tell("kill -9 of the process that holds the call, while the caller leaves a message")
    running = stage.service.ask("status")["calls"][0]
    killed_at = time.monotonic()
    os.kill(running["pid"], signal.SIGKILL)
    ended = caller.wait_ended(10)
    released_s = time.monotonic() - killed_at
    report.prove("the caller is released by a BYE", ended.by_remote, f"after {released_s:.2f} s")
    call = report.call = stage.last_call()
    order = stage.order(call)
    report.orders.append(order)
    report.prove("the order is kept, with matter, number and deadline",
                 (order["kind"], order["matter_id"], order["callback_number"], local(order["due_at"]))
                 == ("interrupted", "social_insurance", CALLER_NUMBER, "2026-03-11 10:00"), order["order_id"])
    report.prove("another line takes its place", stage.service.ask("status")["lines"]["died"] == 1)


def _ring_12345(stage: Stage, report: SceneReport) -> None:
    report.tell(f"{stage.caller.number} rings 12345")
    stage.caller.dial(stage.service.uri)
    stage.caller.wait_answered()


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene of the demo, and how many claims it makes when it is played to its end."""

    title: str
    plays: Callable[[Stage, SceneReport], None]
    claims: int


SCENES = (
    Scene("10:30  caller → seat → specialist, three-way, seat leaves, survey", three_way, claims=6),
    Scene("10:40  nobody accepts → order", nobody_accepts, claims=3),
    Scene("21:00  order with a message", after_hours, claims=2),
    Scene("21:10  a line is killed in mid-call", line_killed, claims=3),
)


def play(stage: Stage, scene: Scene, audience: Audience) -> SceneReport:
    """Play one scene; what goes wrong becomes a proof that failed."""
    report, began = SceneReport(scene.title, audience), time.monotonic()
    try:
        scene.plays(stage, report)
    except Exception as wrong:  # whatever it is, the other scenes are still worth seeing
        report.prove("the scene was played to its end", False, wrong)
        for phone in (stage.caller, stage.seat, stage.specialist, stage.voicemail):
            phone.hangup()
    else:
        if len(report.proofs) < scene.claims:
            report.prove("the scene made all its claims", False, f"{len(report.proofs)} of {scene.claims}")
    report.took_s = round(time.monotonic() - began, 1)
    return report


def wait_step(stage: Stage, step: str, timeout_s: float = 20.0) -> None:
    """Wait until a call has come to a step of its flow."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        calls = stage.service.ask("status")["calls"]
        if any(call["step"] == step for call in calls):
            return
        time.sleep(0.05)
    raise TimeoutError(f"no call came to {step!r}; the caller's phone:\n{stage.caller.story()}")


def _wait_recording(stage: Stage, timeout_s: float = 20.0) -> None:
    """Wait until the service records the caller's message."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if any(call["recording"] for call in stage.service.ask("status")["calls"]):
            time.sleep(1.2)  # something to record
            return
        time.sleep(0.05)
    raise TimeoutError(f"no message was asked for; the caller's phone:\n{stage.caller.story()}")


def levels(matrix: AudioMatrix) -> str:
    """Return how far each phone's hearing lies above its own return."""
    return ", ".join(f"{name} +{matrix.margin_db(name):.0f} dB" for name in matrix.levels_db)


def has_sound(path: str, tone_hz: int) -> bool:
    """Tell whether a recording holds a phone's tone."""
    return bool(path) and tone_levels(Path(path), {"tone": tone_hz})["tone"] > -45.0


def local(instant: str) -> str:
    """Return an instant on Shanghai's clock, to the minute."""
    return f"{datetime.fromisoformat(instant).astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
