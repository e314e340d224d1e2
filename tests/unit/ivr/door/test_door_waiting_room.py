"""A call that comes a moment before a line is ready waits for it."""

from __future__ import annotations

from tests.fakes.door import World, invite


def waiting_world() -> World:
    world = World(free=0)
    world.lines.is_growing = True
    world.from_network(invite())
    return world


def test_a_call_waits_with_100_trying_while_a_line_is_being_born() -> None:
    world = waiting_world()
    assert world.to_network().startswith(b"SIP/2.0 100 ")
    assert not world.calls


def test_it_is_admitted_when_the_line_is_ready() -> None:
    world = waiting_world()
    world.lines.free = 1
    world.door.line_ready()
    assert world.to_line().startswith(b"INVITE ")
    assert len(world.calls) == 1


def test_those_who_wait_are_admitted_in_the_order_they_came() -> None:
    world = waiting_world()
    world.from_network(invite("c2", tag="ct2", branch="z9hG4bKa2"))
    world.lines.free = 1
    world.from_network(invite("c3", tag="ct3", branch="z9hG4bKa3"))
    assert not world.calls
    world.door.line_ready()
    assert [call.sip_call_id for _, call in world.calls] == ["c1"]
    world.lines.free = 3
    world.door.line_ready()
    assert [call.sip_call_id for _, call in world.calls] == ["c1", "c2", "c3"]


def test_the_same_invite_again_is_not_a_second_call() -> None:
    world = waiting_world()
    world.from_network(invite())
    world.lines.free = 2
    world.door.line_ready()
    assert len(world.calls) == 1


def test_after_two_seconds_without_a_line_it_is_503_with_retry_after() -> None:
    world = waiting_world()
    world.sent_out()
    world.reactor.advance(2.1)
    refusal = world.to_network()
    assert refusal.startswith(b"SIP/2.0 503 ")
    assert b"Retry-After: " in refusal
    world.lines.free = 1
    world.door.line_ready()
    assert not world.calls


def test_a_caller_who_gives_up_while_waiting_is_let_go() -> None:
    world = waiting_world()
    world.sent_out()
    cancel = invite().replace(b"INVITE sip", b"CANCEL sip", 1).replace(b"1 INVITE", b"1 CANCEL")
    world.from_network(cancel)
    answers = [data.split(b"\r\n")[0] for data, _ in world.sent_out()]
    assert answers == [b"SIP/2.0 200 OK", b"SIP/2.0 487 Request Terminated"]
    world.lines.free = 1
    world.door.line_ready()
    assert not world.calls


def test_with_no_line_on_its_way_nobody_waits() -> None:
    world = World(free=0)
    world.from_network(invite())
    assert world.to_network().startswith(b"SIP/2.0 503 ")
