"""A call in virtual time with what people do about it from the console."""

from __future__ import annotations

from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock as VirtualTime

from callback_scheduler.orders.actor import Actor
from ivr.calls.call import Call
from ivr.calls.services import CallServices
from ivr.refused import OperationRefused
from ivr.speech.prompts import Prompt
from node.operations.call_view import CallView
from node.operations.calls import CallOperations
from node.operations.happenings import HappeningsFeed
from node.operations.running_calls import RunningCalls
from node.operations.seats import SeatOperations
from node.operations.supervision import SupervisionOperations
from tests.fakes.line import Behaviour, Story

SEAT, SPECIALIST, SUPERVISOR = "8001", "6101", "7001"
WHO = Actor.read("seat:王")
ANSWERS = Behaviour(answers_after_s=0.5)
ACCEPTS = Behaviour(answers_after_s=1.0, presses="1", presses_after_s=1.0)
BUSY = Behaviour(refuses_with=486)


def seats_of(rooms: Any, services: CallServices) -> SeatOperations:
    """Return the operations on seats of a node with the journal of `rooms`."""
    return SeatOperations(
        services.presence, manners=services.manners, office=rooms.office, ledger=rooms.ledger, feed=rooms.feed,
        clock=rooms.clock, reactor=rooms.reactor,
    )  # fmt: skip


class StoryOperations:
    """The operations on calls and seats, built as those of a node."""

    def __init__(self, rooms: Any) -> None:
        running = RunningCalls(rooms.desk.calls, rooms.callbacks.calls)
        self.calls = CallOperations(running, rooms.office)
        self.seats = seats_of(rooms, rooms.services)
        self.call_view = CallView(running, self.seats, rooms.office, rooms.ledger, rooms.clock)
        self.supervision = SupervisionOperations(running, rooms.office)


class SeatStory:
    """A story, and the operations on its call; `told` is what the feed said."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.feed = HappeningsFeed()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.feed.subscribe(lambda topic, fields: self.told.append((topic.value, fields)))
        self.operations = StoryOperations(self.rooms())

    def rooms(self, callbacks: Any = None) -> Any:
        story = self.story
        return SimpleNamespace(
            services=story.services, office=story.office, ledger=story.ledger, clock=story.clock, reactor=story.time,
            desk=SimpleNamespace(calls=lambda: [] if story.done.called else [story.call]),
            callbacks=callbacks or SimpleNamespace(calls=list), feed=self.feed,
        )  # fmt: skip

    def do(self, asked: Coroutine[Any, Any, Any]) -> Any:
        """Return what an operation comes to at once."""
        return now(asked, self.story.time)

    def refusal(self, asked: Coroutine[Any, Any, Any]) -> str:
        """Return the key of the reason why an operation is refused."""
        with pytest.raises(OperationRefused) as refused:
            self.do(asked)
        assert refused.value.text
        return refused.value.key

    def with_seat(self) -> SeatStory:
        """Bring caller and seat together."""
        self.story.until_heard(Prompt.MENU).caller_presses("1").run(6)
        return self

    def with_specialist(self) -> SeatStory:
        """Bring caller, seat and specialist together, by keys."""
        self.with_seat()
        for digit in "*#":
            self.story.slot.press(self.leg(SEAT), digit)
        self.story.run(4)
        return self

    def leg(self, number: str) -> int:
        return self.story.slot.legs_of(number)[-1]

    @property
    def call(self) -> Call:
        return self.story.call

    def seat(self, number: str = SEAT) -> dict[str, Any]:
        return next(seat for seat in self.operations.seats.statuses() if seat["number"] == number)


def now(asked: Coroutine[Any, Any, Any], time: VirtualTime) -> Any:
    """Return the result of something that waits for nothing but disk and Redis, or raise its error."""
    results: list[Any] = []
    errors: list[Any] = []
    ensureDeferred(asked).addCallbacks(results.append, errors.append)
    time.advance(0)
    if errors:
        errors[0].raiseException()
    assert results, "it waits for something"
    return results[0]
