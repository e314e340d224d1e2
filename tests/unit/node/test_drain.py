"""A node that is to end: nobody comes in, who talks goes on, and the last one ends it; or the time does."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from node.drain import Drain


class House:
    """A drain of 60 s over as many calls as the test says."""

    def __init__(self, calls: int) -> None:
        self.time, self.calls, self.happened = Clock(), calls, []  # type: tuple[Clock, int, list[str]]
        self.drain = Drain(self.time, 60.0, close=lambda: self.happened.append("closed"), calls=lambda: self.calls)
        self.drain.end = lambda: self.happened.append("ended")

    def run(self, seconds: float) -> None:
        self.time.pump([0.5] * int(seconds * 2))


def test_an_empty_house_ends_at_once() -> None:
    house = House(0)
    house.drain.begin()
    house.run(0.5)
    assert house.happened == ["closed", "ended"]


def test_who_talks_is_waited_for() -> None:
    house = House(2)
    assert house.drain.begin() == {"is_draining": True, "calls": 2, "left_s": 60}
    house.run(30)
    assert house.happened == ["closed"]
    assert house.drain.status()["left_s"] == 30
    house.calls = 0
    house.run(1)
    assert house.happened == ["closed", "ended"]


def test_nobody_is_waited_for_longer_than_that() -> None:
    house = House(1)
    house.drain.begin()
    house.run(59)
    assert house.happened == ["closed"]
    house.run(2)
    assert house.happened == ["closed", "ended"]


def test_beginning_twice_changes_nothing() -> None:
    house = House(1)
    house.drain.begin()
    house.run(10)
    assert house.drain.begin()["left_s"] == pytest.approx(50)
    assert house.happened == ["closed"]


def test_a_node_that_ends_otherwise_is_not_ended_again() -> None:
    house = House(1)
    house.drain.begin()
    house.drain.stop()
    house.run(100)
    assert house.happened == ["closed"]
