"""Calls that lines place through the door: to the trunk, to a directory target, and what comes back."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from tests.fakes.door import (
    DOOR,
    INNER,
    LINE,
    SDP,
    TRUNK,
    World,
    branch,
    line_invite,
    line_request,
    message,
    packet,
    reply,
    top_via,
)

PHONE = ("203.0.113.40", 5070)


def from_phone(method: str, *, cseq: int = 1, branch: str = "z9hG4bKp1") -> bytes:
    """Return a request of the called party within the dialog o1."""
    return packet(
        f"{method} sip:line@{DOOR}:5060 SIP/2.0",
        call_id="o1",
        cseq=f"{cseq} {method}",
        via=f"SIP/2.0/UDP 203.0.113.40:5070;branch={branch}",
        from_="<sip:a@203.0.113.40>;tag=pt",
        to="<sip:12345@127.0.0.1>;tag=lt",
        extra=f"Route: <sip:{DOOR}:5060;lr>, <sip:127.0.0.1:{INNER};lr>\nMax-Forwards: 70",
    )


def test_a_lines_call_leaves_as_a_call_of_the_door() -> None:
    world = World()
    world.from_line(line_invite("sip:02152550000@198.51.100.1:5060"))
    ((data, address),) = world.sent_out()
    assert address == TRUNK
    seen = message(data)
    assert seen.values(b"route") == []
    assert len(seen.values(b"via")) == 1
    assert seen.first(b"from") == b"<sip:12345@192.0.2.10:5060>;tag=lt"
    assert top_via(seen).startswith(b"SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK")
    assert seen.first(b"contact") == b"<sip:line@192.0.2.10:5060>"
    assert world.count("placed") == 1


def test_answers_of_a_directory_target_outside_every_trunk_reach_the_line() -> None:
    world = World()
    sent = world.placed_call("sip:a@203.0.113.40:5070")
    world.from_network(reply(sent, "180 Ringing", tag="pt"), PHONE)
    assert message(world.to_line()).status == 180
    world.from_network(reply(sent, "200 OK", tag="pt", extra="Contact: <sip:a@203.0.113.41:5071>", body=SDP), PHONE)
    answer = message(world.to_line())
    assert answer.status == 200
    assert len(answer.values(b"via")) == 1
    world.from_line(line_request("ACK", "o1", tags=("lt", "pt"), cseq=100, uri="sip:a@203.0.113.41:5071"))
    ((_, address),) = world.sent_out()
    assert address == ("203.0.113.41", 5071)
    world.from_network(from_phone("BYE"), ("203.0.113.41", 5071))  # its media host speaks in the dialog too
    assert message(world.to_line()).method == "BYE"


def test_a_directory_target_may_speak_in_its_dialog_but_not_ring_us() -> None:
    world = World()
    world.placed_call("sip:a@203.0.113.40:5070")
    world.from_network(packet("INVITE sip:12345@192.0.2.10 SIP/2.0", cseq="1 INVITE", via="SIP/2.0/UDP x"), PHONE)
    world.from_network(packet("OPTIONS sip:12345@192.0.2.10 SIP/2.0", cseq="1 OPTIONS", via="SIP/2.0/UDP x"), PHONE)
    assert world.sent_in() == world.sent_out() == []
    assert world.count("foreign_source") == 2


def test_one_party_cannot_speak_in_the_dialog_of_another() -> None:
    world = World()
    sent = world.placed_call("sip:a@203.0.113.40:5070")
    world.from_network(reply(sent, "200 OK", tag="pt", body=SDP), PHONE)
    world.from_line(line_invite("sip:b@203.0.113.99:5070", call_id="o2", branch="z9hG4bKl2"))
    world.sent_in()
    world.from_network(from_phone("BYE"), ("203.0.113.99", 5070))
    assert world.sent_in() == []
    assert world.count("foreign_source") == 1


def test_cancel_and_the_ack_of_a_refusal_follow_the_invite() -> None:
    world = World()
    sent = message(world.placed_call())
    for method in ("CANCEL", "ACK"):
        to = "<sip:02152550000@198.51.100.1:5060>" + (";tag=pt" if method == "ACK" else "")
        if method == "ACK":
            world.from_network(reply(sent.to_bytes(), "486 Busy Here", tag="pt"))
            world.sent_in()
        world.from_line(
            packet(
                f"{method} sip:02152550000@198.51.100.1:5060 SIP/2.0",
                call_id="o1",
                cseq=f"100 {method}",
                via=f"SIP/2.0/UDP 127.0.0.1:{LINE};rport;branch=z9hG4bKl1",
                from_="<sip:12345@127.0.0.1>;tag=lt",
                to=to,
                extra=f"Route: <sip:127.0.0.1:{INNER};lr>\nMax-Forwards: 70",
            )
        )
        ((data, address),) = world.sent_out()
        assert address == TRUNK
        assert branch(message(data)) == branch(sent)


def test_a_call_may_be_placed_again_with_credentials() -> None:
    world = World()
    world.from_network(reply(world.placed_call(), "401 Unauthorized", tag="pt"))
    world.from_line(line_invite("sip:02152550000@198.51.100.1:5060", cseq=101, branch="z9hG4bKl9"))
    assert message(world.to_network()).cseq == 101


def test_a_name_is_resolved_before_the_call_leaves() -> None:
    world = World()
    world.reactor.resolving = Deferred()
    world.from_line(line_invite("sip:a@pbx.example:5070"))
    assert world.sent_out() == []
    world.reactor.resolving.callback("203.0.113.40")
    ((_, address),) = world.sent_out()
    assert address == PHONE


def test_cancel_goes_where_the_invite_went_though_the_name_has_moved() -> None:
    world = World()
    world.reactor.hosts["pbx.example"] = "203.0.113.40"
    world.placed_call("sip:a@pbx.example:5070")
    world.reactor.hosts["pbx.example"] = "203.0.113.99"
    world.reactor.advance(100)
    cancel = line_invite("sip:a@pbx.example:5070").replace(b"INVITE", b"CANCEL")
    world.from_line(cancel)
    ((data, address),) = world.sent_out()
    assert (message(data).method, address) == ("CANCEL", PHONE)


def test_a_name_without_address_is_answered_503() -> None:
    world = World()
    world.from_line(line_invite("sip:a@nowhere.example:5070"))
    assert message(world.to_line()).status == 503
    assert world.count("unreachable") == 1


def test_a_name_the_resolver_cannot_bear_is_answered_503_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()

    def breaks(name: str) -> None:
        raise UnicodeError("label too long")

    monkeypatch.setattr(world.reactor, "resolve", breaks)
    for number in range(2):
        world.from_line(line_invite("sip:a@bad.example", call_id=f"o{number}"))
        assert message(world.to_line()).status == 503
    assert world.count("failed") == 0


def test_a_line_that_died_during_the_lookup_places_no_call() -> None:
    world = World()
    world.reactor.resolving = Deferred()
    world.from_line(line_invite("sip:a@pbx.example:5070"))
    world.door.line_died(LINE)
    world.reactor.resolving.callback("203.0.113.40")
    assert world.sent_out() == []


def test_a_call_to_ourselves_is_a_loop() -> None:
    world = World()
    world.from_line(line_invite(f"sip:12345@{DOOR}:5060"))
    assert message(world.to_line()).status == 482
    assert world.sent_out() == []


def test_our_own_call_come_back_is_a_loop() -> None:
    world = World()
    sent = message(world.placed_call())
    sent.push(b"via", b"SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKproxy")
    world.from_network(sent.to_bytes())
    assert message(world.to_network()).status == 482
    assert not world.calls


@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "MESSAGE", "REFER"])
def test_a_line_places_calls_and_nothing_else(method: str) -> None:
    world = World()
    world.from_line(
        packet(
            f"{method} sip:a@198.51.100.1 SIP/2.0",
            cseq=f"1 {method}",
            via=f"SIP/2.0/UDP 127.0.0.1:{LINE};rport;branch=z9hG4bKq",
        )
    )
    assert message(world.to_line()).status == 405
    assert world.sent_out() == []


def test_sdp_of_an_answer_reaches_the_line_rebuilt() -> None:
    world = World()
    sent = world.placed_call()
    world.from_network(reply(sent, "200 OK", tag="pt", body=SDP + "a=evil:1\n"))
    assert b"evil" not in world.to_line()


def test_an_answer_that_refuses_our_audio_still_ends_the_asking() -> None:
    world = World()
    sent = world.placed_call()
    world.from_network(reply(sent, "200 OK", tag="pt", body=SDP.replace("m=audio 30000", "m=audio 0")))
    seen = message(world.to_line())
    assert seen.status == 200
    assert b"m=audio 0 RTP/AVP 8\r\n" in seen.body


def test_a_tel_uri_has_no_way_out() -> None:
    world = World()
    world.from_line(line_invite("tel:+862152550000"))
    assert message(world.to_line()).status == 416


def test_a_retransmission_of_a_line_leaves_as_the_same_transaction() -> None:
    world = World()
    first = world.placed_call()
    world.from_line(line_invite("sip:02152550000@198.51.100.1:5060"))
    assert world.to_network() == first
    assert (world.count("placed"), world.count("retransmitted")) == (1, 1)
