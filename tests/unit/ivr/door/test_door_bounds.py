"""What one caller and one trunk may have of the door: calls at once, shares, a pace; and answers nobody confirms."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from config.bounds import BoundSettings
from ivr.door.bounds import Caller
from tests.fakes.door import (
    LINE,
    SDP,
    TRUNK,
    World,
    connect_to,
    in_dialog,
    invite,
    line_invite,
    line_request,
    message,
    reply,
)

OTHER = {"name": "other", "host": "203.0.113.1:5060", "allow": ["203.0.113.0/24"]}
OTHER_AT = ("203.0.113.1", 5060)


def bounds(**parts: dict[str, float]) -> BoundSettings:
    return BoundSettings.model_validate(parts)


def call(world: World, n: int, *, number: str = "", source: tuple[str, int] = TRUNK) -> int:
    """Let a call begin, and return what the door said: 0 if it let it in, or lets it wait."""
    data = invite(f"c{n}", tag=f"t{n}", branch=f"z9hG4bK{n}")
    data = data.replace(b"<sip:13800001111@carrier>", b"<sip:%s@carrier>" % (number or f"1390000{n:04}").encode())
    if source == OTHER_AT:
        data = data.replace(b"UDP 198.51.100.1:5060", b"UDP 203.0.113.1:5060")
    world.from_network(data, source)
    statuses = [message(data).status for data, _ in world.sent_out()]
    return next((status for status in statuses if status > 100), 0)


def answer(world: World, n: int, line: int) -> None:
    for data, _ in world.sent_in():
        if message(data).method == "INVITE" and message(data).call_id == f"c{n}".encode():
            contact = f"Contact: <sip:12345@127.0.0.1:{line}>"
            world.from_line(reply(data, "200 OK", tag=f"l{n}", extra=contact, body=SDP), line)
    world.sent_out()


def test_one_number_has_so_many_calls_at_once_and_the_next_caller_has_a_line() -> None:
    world = World(free=12, line_count=12)
    heard = Counter(call(world, n, number="13500000001") for n in range(40))
    assert heard == {0: 8, 486: 32}
    assert world.count("rejected_caller") == 32
    assert call(world, 99, number="13700000009") == 0


@pytest.mark.parametrize("written", ["+8613500000001", "008613500000001"])
def test_one_number_is_one_caller_however_it_is_written(written: str) -> None:
    world = World(free=12, bounds=bounds(caller={"calls_at_once": 1}))
    assert call(world, 1, number="13500000001") == 0
    assert call(world, 2, number=written) == 486


def test_a_call_that_has_ended_makes_room_for_the_next() -> None:
    world = World(free=12, bounds=bounds(caller={"calls_at_once": 1}))
    world.answered_call()
    assert call(world, 2, number="13800001111") == 486
    world.from_network(in_dialog("BYE", cseq=2))
    assert call(world, 3, number="13800001111") == 0


def test_callers_without_number_count_together_for_their_trunk_and_have_more_room() -> None:
    world = World(free=60, others=(OTHER,), line_count=32)
    assert Counter(call(world, n, number="anonymous") for n in range(30)) == {0: 24, 486: 6}
    assert call(world, 98, number="unavailable") == 486
    assert call(world, 99, number="anonymous", source=OTHER_AT) == 0
    assert Caller.of("", "a").is_same(Caller.of("restricted", "a"))
    assert not Caller.of("13500000001", "a").is_same(Caller.of("anonymous", "a"))


def test_a_trunk_that_shows_no_numbers_has_its_lines_all_the_same() -> None:
    world = World(free=100, line_count=100)
    assert Counter(call(world, n, number="anonymous") for n in range(60)) == {0: 60}
    small = World(free=12, line_count=12)
    assert Counter(call(small, n, number="anonymous") for n in range(12)) == {0: 12}


def test_one_number_never_has_all_lines_of_a_small_node() -> None:
    world = World(free=4, line_count=4)
    assert [call(world, n, number="13500000001") for n in range(4)] == [0, 0, 0, 503]


def test_one_trunk_never_has_all_lines_while_there_is_another() -> None:
    world = World(free=12, line_count=12, others=(OTHER,))
    assert Counter(call(world, n) for n in range(20)) == {0: 9, 503: 11}
    assert world.count("rejected_trunk") == 11
    assert [call(world, 100 + n, source=OTHER_AT) for n in range(3)] == [0, 0, 0]


def test_the_only_trunk_has_all_lines() -> None:
    world = World(free=12, line_count=12)
    assert Counter(call(world, n) for n in range(12)) == {0: 12}


def test_calls_that_wait_for_a_line_count_like_those_that_have_one() -> None:
    world = World(free=0, line_count=12, others=(OTHER,))
    world.lines.is_growing = True
    assert Counter(call(world, n) for n in range(20)) == {0: 9, 503: 11}
    assert call(world, 99, source=OTHER_AT) == 0
    world.lines.free = 10
    world.door.line_ready()
    assert world.calls[-1][1].trunk == "other"


def test_a_flood_of_one_trunk_hears_503_and_leaves_the_pace_of_the_other_alone() -> None:
    world = World(free=1000, others=(OTHER,))
    heard: Counter[int] = Counter()
    for n in range(300):  # in one second
        heard[call(world, n)] += 1
        world.reactor.advance(1 / 300)
    assert heard[0] == pytest.approx(80, abs=2)  # the burst, and a second of the pace
    assert heard[0] + heard[503] == 300
    assert world.count("rejected_rate") == heard[503]
    assert call(world, 999, source=OTHER_AT) == 0


def test_what_is_far_beyond_the_pace_is_dropped_unread_but_never_what_belongs_to_a_call() -> None:
    world = World(free=1000, others=(OTHER,), bounds=bounds(trunk={"calls_per_s": 1, "calls_burst": 2}))
    world.answered_call()
    for n in range(40):
        call(world, n)
    dropped = world.count("dropped_flood")
    assert dropped == 21  # of 41, twice ten were read
    world.from_network(in_dialog("INVITE", cseq=2, body=SDP))
    world.from_network(in_dialog("BYE", cseq=3))
    assert world.count("dropped_flood") == dropped
    assert [message(data).method for data, _ in world.sent_in()][-2:] == ["INVITE", "BYE"]
    assert call(world, 99, source=OTHER_AT) == 0


def test_over_a_stream_nothing_is_dropped_since_nothing_is_sent_again() -> None:
    world = World(free=1000, bounds=bounds(trunk={"calls_per_s": 1, "calls_burst": 1}))
    pair = world.connect(("198.51.100.1", 49152))
    assert pair is not None
    for n in range(30):
        pair[0].dataReceived(invite(f"c{n}", tag=f"t{n}", branch=f"z9hG4bK{n}", via="SIP/2.0/TCP 198.51.100.1:5060"))
    assert world.count("dropped_flood") == 0
    assert pair[1].value().count(b"SIP/2.0 503") == 29


def test_one_caller_of_a_trunk_does_not_use_up_the_pace_of_the_others() -> None:
    world = World(free=1000, bounds=bounds(trunk={"calls_per_s": 1, "calls_burst": 9}))
    assert Counter(call(world, n, number="13500000001") for n in range(40)) == {0: 8, 486: 32}
    assert call(world, 99) == 0


# -- an answer that nobody confirms -----------------------------------------------------------------------------------


def test_an_answer_without_ack_is_ended_on_both_sides_after_32_seconds() -> None:
    world = World()
    call(world, 1)
    answer(world, 1, LINE)
    world.reactor.pump([1.0] * 31)
    assert [message(data).method for data, _ in world.sent_out()] == []
    world.reactor.pump([1.0] * 2)
    to_line = message(world.to_line())
    assert (to_line.method, to_line.from_tag, to_line.to_tag) == ("BYE", b"t1", b"l1")
    assert to_line.cseq > 1
    to_caller = message(world.sent_out()[0][0])
    assert (to_caller.method, to_caller.from_tag, to_caller.to_tag) == ("BYE", b"l1", b"t1")
    assert world.count("unconfirmed_ended") == 1


def test_the_lines_answer_to_that_goes_nowhere_and_is_no_fault() -> None:
    world = World(bounds=bounds(trunk={"unconfirmed_s": 1}))
    call(world, 1)
    answer(world, 1, LINE)
    world.reactor.pump([1.0] * 2)
    bye = world.to_line()
    world.sent_out()
    world.from_line(reply(bye, "200 OK"))
    assert world.sent_out() == []
    assert world.count("bad_message") == 0


@pytest.mark.parametrize(
    ("body", "is_ended"), [("", True), (SDP.replace("m=audio 30000", "m=video 30000"), True), (SDP, False)]
)
def test_a_late_offer_whose_ack_answers_nothing_is_ended_at_once_on_both_sides(body: str, is_ended: bool) -> None:
    world = World()
    world.from_network(invite(body=""))
    world.from_line(reply(world.to_line(), "200 OK", tag="lt", extra=f"Contact: <sip:a@127.0.0.1:{LINE}>", body=SDP))
    assert message(world.to_network()).status == 200
    world.from_network(in_dialog("ACK", body=body))
    to_line = message(world.to_line())
    assert to_line.method == ("BYE" if is_ended else "ACK")
    assert [message(data).method for data, _ in world.sent_out()] == (["BYE"] if is_ended else [])


def test_one_that_is_confirmed_goes_on() -> None:
    world = World()
    world.answered_call()
    world.reactor.pump([1.0] * 60)
    assert world.sent_in() == []
    assert world.count("unconfirmed_ended") == 0
    world.from_line(line_request("BYE"))
    assert message(world.to_network()).method == "BYE"


def test_a_caller_who_leaves_several_unconfirmed_holds_them_for_a_shorter_time() -> None:
    world = World(free=12)
    for n in range(3):
        call(world, n, number="13500000001")
        answer(world, n, LINE + n)
    call(world, 9, number="13700000009")
    answer(world, 9, LINE + 3)
    world.reactor.pump([1.0] * 9)
    assert world.count("unconfirmed_ended") == 3
    world.sent_in()
    world.sent_out()
    call(world, 4, number="13500000001")  # and it is remembered
    answer(world, 4, LINE + 4)
    world.reactor.pump([1.0] * 9)
    assert world.count("unconfirmed_ended") == 4
    world.reactor.pump([1.0] * 16)
    assert world.count("unconfirmed_ended") == 5


# -- connections ------------------------------------------------------------------------------------------------------


class Streams:
    """TCP connections of a door, by peer; `refused` counts those it did not take."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.open: dict[tuple[str, int], tuple[Any, Any]] = {}
        self.refused = 0

    def connect(self, host: str, port: int) -> None:
        pair = self.world.connect((host, port))
        self.refused += pair is None
        if pair is not None:
            self.open[host, port] = pair

    def closed(self) -> list[int]:
        """Return the ports of the connections that the door has closed, in order."""
        return sorted(port for (_, port), (_, transport) in self.open.items() if transport.disconnecting)


def call_over(streams: Streams, peer: tuple[str, int], n: int) -> None:
    via = f"SIP/2.0/TCP {peer[0]}:{peer[1]}"
    streams.open[peer][0].dataReceived(invite(f"s{n}", tag=f"s{n}", branch=f"z9hG4bKs{n}", via=via))


CARRIER, SECOND = "198.51.100.1", "203.0.113.1"


def test_one_source_holds_so_many_connections_and_its_idlest_gives_way_to_its_next() -> None:
    streams = Streams(World(bounds=BoundSettings(connections_per_source=4)))
    for port in range(1, 5):
        streams.connect(CARRIER, port)
        streams.world.reactor.advance(1)
    streams.open[CARRIER, 1][0].dataReceived(b"\r\n\r\n")  # a keep-alive is no message
    call_over(streams, (CARRIER, 2), 2)
    streams.connect(CARRIER, 5)
    streams.connect(CARRIER, 6)
    assert streams.refused == 0
    assert streams.closed() == [1, 3]
    assert streams.world.count("stream_displaced") == 2


def test_a_connection_that_carries_a_call_is_never_closed_for_another() -> None:
    streams = Streams(World(free=9, bounds=BoundSettings(connections_per_source=3)))
    for port in range(1, 4):
        streams.connect(CARRIER, port)
        call_over(streams, (CARRIER, port), port)
    streams.connect(CARRIER, 4)
    assert streams.refused == 1
    assert streams.closed() == []


def test_idle_connections_of_one_source_do_not_lock_out_another() -> None:
    streams = Streams(World(others=(OTHER,), bounds=BoundSettings(connections_per_source=4096)))
    for port in range(1, 257):
        streams.connect(CARRIER, port)
        streams.world.reactor.advance(0.01)
    for port in range(1, 6):
        streams.connect(SECOND, port)
    assert streams.refused == 0
    assert streams.closed() == [1, 2, 3, 4, 5]
    assert not any(transport.disconnecting for (host, _), (_, transport) in streams.open.items() if host == SECOND)


def test_who_holds_most_does_not_push_out_those_who_hold_less() -> None:
    streams = Streams(World(others=(OTHER,), bounds=BoundSettings(connections_per_source=4096)))
    streams.connect(SECOND, 1)
    for port in range(10, 300):
        streams.connect(CARRIER, port)
    assert streams.refused == 290 - 255
    assert streams.closed() == []


def test_a_connection_of_our_own_making_gives_way_to_nobody() -> None:
    world = World(trunk={"transport": "tcp"}, bounds=BoundSettings(connections_per_source=1))
    world.from_line(line_invite("sip:6101@198.51.100.1:5060;transport=tcp"))
    _, _, factory, *_ = world.reactor.tcpClients[0]
    pair = connect_to(factory, TRUNK)
    assert pair is not None
    pair[0].dataReceived(reply(pair[1].value(), "486 Busy Here", tag="x"))  # its call is over
    assert world.connect((CARRIER, 9)) is None
    assert not pair[1].disconnecting
