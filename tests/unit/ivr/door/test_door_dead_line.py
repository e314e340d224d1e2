"""A line that dies leaves nobody in silence: BYE to who talks, 500 to who waits, CANCEL to who is rung."""

from __future__ import annotations

from twisted.internet.defer import ensureDeferred

from ivr.door.dialogs import CONFIRMED_S, EARLY_S, LINGER_S
from tests.fakes.door import (
    LINE,
    SDP,
    STRANGER,
    TRUNK,
    World,
    branch,
    in_dialog,
    invite,
    line_invite,
    line_request,
    message,
    reply,
)


def test_a_caller_who_talks_gets_bye_with_the_lines_tags_and_next_cseq() -> None:
    world = World()
    world.answered_call(extra="Contact: <sip:me@198.51.100.9:5090>\nRecord-Route: <sip:198.51.100.2;lr>")
    world.from_line(line_request("INFO", cseq=20))
    world.sent_out()
    world.door.line_died(LINE)
    ((data, address),) = world.sent_out()
    bye = message(data)
    assert (bye.method, bye.uri, bye.cseq) == ("BYE", b"sip:me@198.51.100.9:5090", 21)
    assert (bye.from_tag, bye.to_tag, bye.call_id) == (b"lt", b"ct", b"c1")
    assert bye.values(b"route") == [b"<sip:198.51.100.2;lr>"]
    assert address == ("198.51.100.2", 5060)
    assert world.count("line_died_byes") == 1


def test_the_bye_is_repeated_until_answered_and_then_no_more() -> None:
    world = World()
    world.answered_call()
    world.door.line_died(LINE)
    first = world.to_network()
    world.reactor.advance(0.5)
    assert world.to_network() == first
    world.from_network(reply(first, "200 OK"))
    world.reactor.pump([1.0] * 40)
    assert world.sent_out() == []
    assert world.door.status()["dialogs"] == {"early": 0, "confirmed": 0, "ended": 0}


def test_a_bye_nobody_answers_is_given_up_after_32_seconds() -> None:
    world = World()
    world.answered_call()
    world.door.line_died(LINE)
    world.reactor.pump([0.5] * 80)
    assert 9 <= len(world.sent_out()) <= 12
    world.reactor.pump([1.0] * 60)
    assert world.sent_out() == []


def test_a_caller_who_still_waits_gets_500_until_the_ack() -> None:
    world = World()
    world.from_network(invite())
    world.from_line(reply(world.to_line(), "180 Ringing", tag="lt"))
    world.sent_out()
    world.door.line_died(LINE)
    ((data, address),) = world.sent_out()
    refusal = message(data)
    assert (refusal.status, refusal.to_tag, refusal.cseq_method, address) == (500, b"lt", "INVITE", TRUNK)
    assert refusal.values(b"via") == [b"SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKa1"]
    world.from_network(invite())
    assert world.to_network() == data
    world.reactor.advance(0.5)
    assert world.to_network() == data
    world.from_network(in_dialog("ACK", branch="z9hG4bKa1"))
    world.reactor.pump([1.0] * 40)
    assert world.sent_out() == world.sent_in() == []


def test_the_ack_is_understood_even_when_the_line_never_said_a_word() -> None:
    world = World()
    world.from_network(invite())
    world.sent_in()
    world.door.line_died(LINE)
    refusal = message(world.to_network())
    world.from_network(in_dialog("ACK", tags=("ct", refusal.to_tag.decode()), branch="z9hG4bKa1"))
    world.reactor.pump([1.0] * 40)
    assert world.sent_out() == []


def test_cancel_and_bye_of_a_caller_whose_line_is_gone_are_answered() -> None:
    world = World()
    world.answered_call()
    world.door.line_died(LINE)
    world.sent_out()
    world.from_network(in_dialog("BYE", cseq=2))
    assert message(world.to_network()).status == 200
    world.from_network(in_dialog("INFO", cseq=3))
    assert message(world.to_network()).status == 481
    assert world.sent_in() == []


def test_a_phone_that_rings_gets_cancel_and_its_487_an_ack() -> None:
    world = World()
    sent = world.placed_call()
    world.from_network(reply(sent, "180 Ringing", tag="pt"))
    world.sent_in()
    world.door.line_died(LINE)
    cancel = message(world.to_network())
    assert (cancel.method, cancel.cseq, branch(cancel)) == ("CANCEL", 100, branch(message(sent)))
    assert len(cancel.values(b"via")) == 1
    world.from_network(reply(cancel.to_bytes(), "200 OK", tag="pt"))
    world.from_network(reply(sent, "487 Request Terminated", tag="pt"))
    ack = message(world.to_network())
    assert (ack.method, ack.to_tag, branch(ack)) == ("ACK", b"pt", branch(message(sent)))
    world.reactor.pump([1.0] * 40)
    assert world.sent_out() == world.sent_in() == []


def test_a_phone_not_yet_heard_of_gets_cancel_when_it_begins_to_ring() -> None:
    world = World()
    sent = world.placed_call()
    world.door.line_died(LINE)
    assert world.sent_out() == []  # RFC 3261 9.1: no CANCEL before a provisional answer
    world.from_network(reply(sent, "100 Trying"))
    assert message(world.to_network()).method == "CANCEL"
    world.from_network(reply(sent, "180 Ringing", tag="pt"))
    assert world.sent_out() == []


def test_a_phone_answered_in_the_last_moment_gets_ack_and_bye() -> None:
    world = World()
    sent = world.placed_call()
    world.from_network(reply(sent, "180 Ringing", tag="pt"))
    world.door.line_died(LINE)
    world.sent_out()
    answer = reply(sent, "200 OK", tag="pt", extra="Contact: <sip:p@198.51.100.30:5066>", body=SDP)
    world.from_network(answer)
    ack, bye = (message(data) for data, _ in world.sent_out())
    assert (ack.method, ack.cseq, ack.uri) == ("ACK", 100, b"sip:p@198.51.100.30:5066")
    assert (bye.method, bye.cseq, bye.from_tag, bye.to_tag) == ("BYE", 101, b"lt", b"pt")
    world.from_network(answer)
    assert [message(data).method for data, _ in world.sent_out()] == ["ACK"]


def test_a_called_phone_that_talks_gets_bye_along_its_own_proxies() -> None:
    world = World()
    sent = message(world.placed_call())
    for proxy in (b"<sip:198.51.100.2;lr>", b"<sip:198.51.100.3;lr>"):
        sent.push(b"record-route", proxy)
    answer = reply(sent.to_bytes(), "200 OK", tag="pt", extra="Contact: <sip:p@198.51.100.30:5066>", body=SDP)
    world.from_network(answer)
    world.door.line_died(LINE)
    ((data, address),) = world.sent_out()
    assert address == ("198.51.100.2", 5060)
    assert message(data).values(b"route") == [b"<sip:198.51.100.2;lr>", b"<sip:198.51.100.3;lr>"]


def test_what_has_ended_needs_no_farewell() -> None:
    world = World()
    world.answered_call("c1")
    world.from_network(in_dialog("BYE", cseq=2))
    world.door.line_died(LINE)
    assert world.sent_out() == []


def test_the_next_line_on_the_same_port_inherits_nothing() -> None:
    world = World()
    world.answered_call()
    world.door.line_died(LINE)
    world.sent_out()
    world.from_network(in_dialog("INFO", cseq=5))
    assert world.sent_in() == []
    world.door.line_died(LINE)
    assert len(world.sent_out()) == 1  # the 481 of that INFO, and no second BYE


def test_an_unanswered_dialog_is_forgotten_after_five_minutes() -> None:
    world = World()
    world.from_network(invite())
    world.reactor.pump([EARLY_S - 10, 15, 5])
    assert world.door.status()["dialogs"]["early"] == 0


def test_a_talk_is_kept_for_hours_and_longer_while_something_happens() -> None:
    world = World()
    world.answered_call()
    world.reactor.pump([CONFIRMED_S - 100, 0])
    world.from_network(in_dialog("UPDATE", cseq=2))
    world.reactor.pump([CONFIRMED_S - 100, 0])
    assert world.door.status()["dialogs"]["confirmed"] == 1
    world.reactor.pump([200, 5])
    assert world.door.status()["dialogs"]["confirmed"] == 0


def test_an_ended_call_lingers_for_its_retransmissions_only() -> None:
    world = World()
    world.placed_call("sip:a@203.0.113.66:5060")
    world.from_line(line_invite("sip:a@203.0.113.66:5060"))
    sent = message(world.to_network())
    world.from_network(reply(sent.to_bytes(), "200 OK", tag="pt", body=SDP), STRANGER)
    world.sent_in()
    world.from_line(line_request("BYE", "o1", tags=("lt", "pt"), uri="sip:a@203.0.113.66:5060", cseq=101))
    world.reactor.advance(5)
    world.from_network(reply(world.to_network(), "200 OK"), STRANGER)
    assert message(world.to_line()).cseq_method == "BYE"
    world.reactor.pump([LINGER_S, 5])
    world.from_network(b"anything", STRANGER)
    assert world.count("foreign_source") == 1  # its address is not known any longer


def test_a_bye_that_is_repeated_for_ever_keeps_nothing_alive() -> None:
    world = World()
    world.answered_call()
    for _ in range(4):
        world.from_network(in_dialog("BYE", cseq=2))
        world.reactor.pump([5, 5])
    assert world.door.status()["dialogs"]["ended"] == 0


def test_closing_the_door_says_bye() -> None:
    world = World()
    world.answered_call()
    assert ensureDeferred(world.door.stop()).called
    assert message(world.to_network()).method == "BYE"
    assert world.reactor.getDelayedCalls() == []
