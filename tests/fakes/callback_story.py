"""A callback in virtual time: an order, a unit, an enterprise, and what came of the attempt."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock as VirtualTime

from callback_scheduler.errors import JournalFull
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Lease, Order
from ivr.calls.call import Call
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.presence import Presence
from ivr.calls.services import CallServices
from ivr.dispatch.outgoing import OutgoingCalls
from ivr.speech.prompts import Prompt
from routing.clock import SHANGHAI, MovableClock
from routing.site import Site
from tests.fakes.ledger import CALLER_NUMBER, FakeLedger
from tests.fakes.line import Behaviour, FakePrompts, FakeSlot

NINE = datetime(2026, 3, 11, 9, 0, tzinfo=SHANGHAI)
STEP_S = 0.05


class OneLine:
    """A pool of one line, which may be away or taken."""

    def __init__(self, slot: FakeSlot) -> None:
        self.slot: FakeSlot | None = slot

    def take(self, for_callback: bool = False) -> FakeSlot | None:
        assert for_callback
        slot, self.slot = self.slot, None
        return slot

    def free_for_callbacks(self) -> int:
        return 1 if self.slot else 0


class CallbackStory:
    """One attempt to ring back, or one reminder of a leader."""

    def __init__(self, site: Site, folder: Path, phones: dict[str, Behaviour], **manners: object) -> None:
        self.time = VirtualTime()
        self.clock = MovableClock(NINE, monotonic=self.time.seconds)
        phone = site.settings.phone.model_copy(update=manners)
        settings = site.settings.model_copy(update={"phone": phone})
        self.ledger = FakeLedger()
        self.ledger.time = self.time
        self.log = self.ledger.log
        self.slot = FakeSlot(self.time, phones, self.log)
        self.slot.live.clear()
        self.lines = OneLine(self.slot)
        self.presence = Presence()
        office = Office(settings, site.directory, site.calendar, site.hours, self.clock)
        services = CallServices(
            self.time, self.clock, FakePrompts(), phone, self.presence, folder,  # type: ignore[arg-type]
            lambda number: (f"sip:{number}@127.0.0.1", "12345"), self.time.seconds,
        )
        orders = Orders(self.ledger, office)  # type: ignore[arg-type]
        self.callbacks = OutgoingCalls(services, office, orders, self.ledger, self.lines)  # type: ignore[arg-type]
        self.ended: list[Attempt] = []
        self.reminded: list[bool] = []

    # -- what begins ------------------------------------------------------------------------------------------

    def ring_back(self, **fields: object) -> CallbackStory:
        """Begin the callback of an order with these fields."""
        order = self.ledger.owe(**fields)
        attempt = Attempt(
            attempt_id=f"{order.order_id}-a1", begun_at=NINE, by="timetable", number=order.callback_number, epoch=7
        )
        done = self.callbacks.ring_back(order, attempt, Lease(order.order_id, 7, 30.0))
        ensureDeferred(done).addCallback(self.ended.append)
        return self

    def remind_leader(self, number: str, order: Order) -> CallbackStory:
        async def note() -> bool:
            try:
                await self.ledger.write("order_noted", {"note": "leader_reminded"}, self.clock.now())
            except JournalFull:
                return False
            return True

        ensureDeferred(self.callbacks.remind_leader(order, number, note)).addCallback(self.reminded.append)
        return self

    def stop_node(self) -> Deferred[None]:
        return ensureDeferred(self.callbacks.stop())

    # -- what happens -----------------------------------------------------------------------------------------

    def run(self, seconds: float) -> CallbackStory:
        for _ in range(round(seconds / STEP_S)):
            self.time.advance(STEP_S)
        return self

    def until_heard(self, prompt: Prompt, number: str, timeout_s: float = 90.0) -> CallbackStory:
        """Let time pass until the phone of a number hears a prompt."""
        for _ in range(round(timeout_s / STEP_S)):
            if any(self.slot.hears(leg) == prompt.value for leg in self.slot.legs_of(number)):
                return self
            self.time.advance(STEP_S)
        raise AssertionError(f"{number} never heard {prompt.value}, but {self.heard(number)}")

    def press(self, number: str, keys: str) -> CallbackStory:
        for digit in keys:
            self.slot.press(self.leg(number), digit)
            self.run(0.2)
        return self

    def hang_up(self, number: str) -> CallbackStory:
        self.slot.end(self.leg(number))
        return self.run(0.1)

    def finish(self, timeout_s: float = 300.0) -> Attempt:
        """Let time pass until the attempt has ended, and return it."""
        for _ in range(round(timeout_s / STEP_S)):
            if self.ended:
                break
            self.time.advance(STEP_S)
        assert self.ended, f"the attempt never ended: {self.slot.rung}"
        assert not self.slot.live, "somebody is still on the line"
        assert self.lines.slot is not None or self.slot.is_released, "the line was not given back"
        return self.ended[0]

    # -- what a test asks -------------------------------------------------------------------------------------

    def leg(self, number: str) -> int:
        return self.slot.legs_of(number)[-1]

    def heard(self, number: str) -> list[str]:
        """Return the first file of every play a number was given, over all its legs."""
        return [file for leg in self.slot.legs_of(number) for file in self.slot.played(leg)]

    def are_joined(self, *numbers: str) -> bool:
        return self.slot.joined_now() == {self.leg(number) for number in numbers}

    @property
    def call(self) -> Call:
        (call,) = self.callbacks._running.values()
        return call

    @property
    def outcome(self) -> AttemptOutcome:
        return self.finish().outcome


ENTERPRISE = CALLER_NUMBER
