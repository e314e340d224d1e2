"""A trunk at fault is told apart from people who are busy or away."""

from __future__ import annotations

import pytest

from tests.fakes.door import World, line_invite, message, reply


def ring(world: World, number: int, status: str) -> None:
    """Let a line ring somebody through the trunk, which answers with `status`."""
    call_id = f"o{number}"
    world.from_line(line_invite("sip:8001@198.51.100.1:5060", call_id=call_id, branch=f"z9hG4bKl{number}"))
    world.from_network(reply(world.to_network(), status, tag="t"))
    assert message(world.to_line()).status == int(status[:3])


def state(world: World) -> object:
    return world.door.trunks()["carrier"].get("state")


@pytest.mark.parametrize("status", ["503 Service Unavailable", "500 Oh", "504 Time-out"])
def test_two_faults_in_a_row_are_the_trunks(status: str) -> None:
    world, changes = World(), []
    world.door.on_trunk_changed = lambda: changes.append(1)
    ring(world, 1, status)
    assert state(world) is None
    ring(world, 2, status)
    assert state(world) == "faulty"
    ring(world, 3, "486 Busy Here")
    assert state(world) is None
    assert len(changes) == 2


@pytest.mark.parametrize("status", ["486 Busy", "480 Away", "603 Decline", "404 Not Found", "180 Ringing"])
def test_what_a_person_or_a_number_says_is_no_fault(status: str) -> None:
    world = World()
    for number in range(3):
        ring(world, number, status)
    assert state(world) is None


def test_a_trunk_that_cannot_be_reached_is_at_fault() -> None:
    world = World(trunk={"host": "nowhere.example:5060"})
    for number in range(2):
        world.from_line(line_invite("sip:1@nowhere.example:5060", call_id=f"o{number}", branch=f"z9hG4bKl{number}"))
        assert message(world.to_line()).status == 503
    assert state(world) == "faulty"
