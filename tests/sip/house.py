"""A service with its trunk and its phones, for tests that tell a call's story from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import psutil

from demo.exchange import PhoneExchange
from demo.phone import Phone
from demo.switchboard import Switchboard
from demo.tones import AudioMatrix
from routing.clock import SHANGHAI
from tests.sip import quiet
from tests.sip.services import start_service

TUESDAY_MORNING = datetime(2026, 3, 10, 10, 30, tzinfo=SHANGHAI)
TUESDAY_EVENING = datetime(2026, 3, 10, 21, 0, tzinfo=SHANGHAI)
SEAT_TONE, CALLER_TONE, SPECIALIST_TONE = 610, 430, 1060
# Short enough for a test, long enough for a machine that has other work to do.
QUICK: dict[str, Any] = {
    "ring_s": 20, "next_tier_after_s": 20, "ring_all_s": 40, "accept_key_s": 6, "seat_wait_s": 20, "first_digit_s": 3,
}
FAST_SPEECH = {"speed_wpm": 400}  # nobody listens but machines
T = TypeVar("T")


def until(what: str, look: Callable[[], T | None], timeout_s: float = 20.0) -> T:
    """Return the first true value of `look()`; AssertionError naming `what` after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not (value := look()):
        assert time.monotonic() < end, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.05)
    return value


class Exchange(PhoneExchange):
    """The room where the phones of tests stand: it measures who hears whom while nobody works hard."""

    def audio_matrix(self, *phones: Phone, **how: Any) -> AudioMatrix:
        with quiet.listening():
            return super().audio_matrix(*phones, **how)


class House:
    """One service, its switchboard and the phones around it; numbers of callers are used once."""

    def __init__(self, folder: Path, at: datetime = TUESDAY_MORNING, **changes: Any) -> None:
        self.folder = folder
        self._open = ExitStack()
        self.switchboard = self._open.enter_context(Switchboard())
        self.exchange = self._open.enter_context(Exchange())
        changes = {"prompts": FAST_SPEECH} | changes | {"phone": QUICK | changes.get("phone", {})}
        for trunk in changes.get("sip", {}).get("trunks", ()):
            trunk["host"] = f"127.0.0.1:{self.switchboard.port}"
        try:
            self.service = self._open.enter_context(start_service(folder, self.switchboard.port, at, changes))
        except BaseException:
            self._open.close()
            raise
        self._callers = 0

    def __enter__(self) -> House:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    # -- phones -----------------------------------------------------------------------------------------------------

    def caller(self, tone_hz: int = CALLER_TONE) -> Phone:
        """Start the phone of an enterprise, with a number of its own."""
        self._callers += 1
        return self.exchange.phone(f"caller{self._callers}", f"138{self._callers:08d}", tone_hz=tone_hz)

    def ring_up(self, caller: Phone, keys: str = "", **how: Any) -> None:
        """Call the service and, once answered, press `keys` over the greeting."""
        caller.dial(self.service.uri, **how)
        caller.wait_answered(15)
        if keys:
            caller.press(keys)

    def desk_phone(self, number: str, tone_hz: int = 0) -> Phone:
        """Start a phone that rings at a number of the directory."""
        phone = self.exchange.phone(f"phone{number}", number, tone_hz=tone_hz)
        self.switchboard.connect(number, phone.sip_port)
        return phone

    def close_numbers(self, *numbers: str) -> None:
        """Let these numbers be busy."""
        for number in numbers:
            self.switchboard.refuse(number, 486)

    # -- what the service knows ---------------------------------------------------------------------------------------

    def running(self, phone: Phone) -> dict[str, Any] | None:
        """Return the running call of a caller as the operator sees it (the numbers differ in their last digits)."""
        calls = self.service.ask("status")["calls"]
        return next((call for call in calls if call["caller"][-4:] == phone.number[-4:]), None)

    def wait_step(self, phone: Phone, step: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """Wait until the call of `phone` is at a step of its flow."""

        def at_step() -> dict[str, Any] | None:
            call = self.running(phone)
            return call if call is not None and call["step"] == step else None

        return until(f"{phone} at {step!r}; it is at {self.running(phone)}", at_step, timeout_s)

    def wait_recording(self, phone: Phone) -> dict[str, Any]:
        """Wait until the caller's message is recorded."""

        def recorded() -> dict[str, Any] | None:
            call = self.running(phone)
            return call if call is not None and call["recording"] else None

        return until(f"a recording of {phone}", recorded)

    def line_of(self, phone: Phone) -> psutil.Process:
        """Return the process that carries the call of `phone`."""
        call = until(f"a call of {phone}", lambda: self.running(phone))
        return psutil.Process(call["pid"])

    def record(self, phone: Phone) -> dict[str, Any]:
        """Return the only record of the calls of `phone`, once it is written."""
        found = until(f"the record of {phone}", lambda: self.records(phone))
        assert len(found) == 1, found
        return found[0]

    def records(self, phone: Phone) -> list[dict[str, Any]]:
        """Return the records of all calls of `phone` that are over, newest first."""
        ended = [call for call in self.service.ask("calls", limit=200) if "outcome" in call]
        return [call for call in ended if call["caller_number"] == phone.number]

    def orders(self, phone: Phone) -> list[dict[str, Any]]:
        """Return the orders that calls of `phone` opened."""
        return [order for order in self.service.ask("orders", limit=200) if order["caller_number"] == phone.number]

    def order(self, phone: Phone) -> dict[str, Any]:
        """Return the only order of `phone`, once it is there."""
        found = until(f"the order of {phone}", lambda: self.orders(phone))
        assert len(found) == 1, found
        return found[0]

    def ends_logged(self, call_id: str) -> int:
        """Return how many call_ended events the log holds of a call; one is right."""
        return sum(event["call_id"] == call_id for event in self.service.events("call_ended"))

    def counters(self) -> dict[str, int]:
        """Return the door's counters."""
        found: dict[str, int] = self.service.ask("status")["door"]["counters"]
        return found

    def lines(self) -> dict[str, int]:
        """Return the pool's figures: total, free, in_use, recycled, died."""
        found: dict[str, int] = self.service.ask("status")["lines"]
        return found
