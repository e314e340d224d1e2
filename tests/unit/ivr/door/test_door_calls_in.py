"""Calls that come in through the door: admission, the way to the line, and the way back."""

from __future__ import annotations

import pytest

from tests.fakes.door import (
    DOOR,
    INNER,
    LINE,
    SDP,
    TRUNK,
    World,
    branch,
    in_dialog,
    invite,
    line_request,
    message,
    packet,
    reply,
    top_via,
)
from tests.fakes.event_log import begun


def test_a_new_call_takes_a_line_tells_the_node_and_then_reaches_the_line() -> None:
    world = World()
    world.from_network(
        invite(extra="P-Asserted-Identity: <sip:+8613900002222;npdi@carrier>\nContact: <sip:a@198.51.100.1>")
    )
    ((slot, call),) = world.calls
    assert slot.expected == ["c1"]
    assert (call.sip_call_id, call.caller, call.called) == ("c1", "+8613900002222", "12345")
    assert (call.source, call.trunk) == ("198.51.100.1:5060", "carrier")
    assert message(world.to_line()).method == "INVITE"
    assert world.count("admitted") == 1
    steps = (begun("take_line"), begun("expect"), begun("take_call"), begun("datagram", to=("127.0.0.1", LINE)))
    places = [world.log.first(step) for step in steps]
    assert places == sorted(places)


def test_the_line_sees_the_door_as_its_caller() -> None:
    world = World()
    world.from_network(invite())
    seen = message(world.to_line())
    assert seen.values(b"via") == [b"SIP/2.0/UDP 127.0.0.1:%d;rport;branch=%s" % (INNER, branch(seen))]
    assert branch(seen).startswith(b"z9hG4bK")
    assert seen.first(b"contact") == b"<sip:far@127.0.0.1:%d>" % INNER
    assert seen.values(b"record-route") == []


def test_headers_a_line_does_not_need_stay_outside() -> None:
    world = World()
    odd = b"X-Odd :  kept, as;it  is\r\n\tand folded\r\nAllow: ,,,\r\nSession-Expires: abc\r\nAuthorization: Digest =,="
    world.from_network(invite().replace(b"Max-Forwards: 70", odd))
    seen = message(world.to_line())
    names = {b"via", b"max-forwards", b"from", b"to", b"call-id", b"cseq", b"contact", b"content-type"}
    assert set(seen.names) == names | {b"content-length"}


def test_the_answer_goes_back_along_the_via_with_a_contact_the_network_can_reach() -> None:
    world = World()
    world.from_network(invite())
    seen = world.to_line()
    world.from_line(reply(seen, "200 OK", tag="lt", extra=f"Contact: <sip:12345@127.0.0.1:{LINE};ob>", body=SDP))
    ((data, address),) = world.sent_out()
    assert address == TRUNK
    answer = message(data)
    assert answer.values(b"via") == [b"SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKa1"]
    assert answer.first(b"contact") == b"<sip:12345@192.0.2.10:5060>"


@pytest.mark.parametrize(
    ("via", "source", "expected"),
    [
        ("SIP/2.0/UDP 10.9.9.9:5062", ("198.51.100.7", 7777), ("198.51.100.7", 5062)),
        ("SIP/2.0/UDP 10.9.9.9:5062;rport", ("198.51.100.7", 7777), ("198.51.100.7", 7777)),
        ("SIP/2.0/UDP pbx.example;received=203.0.113.9;rport=1", ("198.51.100.7", 7777), ("198.51.100.7", 7777)),
        ("SIP/2.0/UDP 198.51.100.7", ("198.51.100.7", 5070), ("198.51.100.7", 5060)),
    ],
)
def test_an_answer_goes_where_rfc_3581_says(via: str, source: tuple[str, int], expected: tuple[str, int]) -> None:
    world = World()
    world.from_network(invite(via=via), source)
    world.from_line(reply(world.to_line(), "180 Ringing", tag="lt"))
    ((_, address),) = world.sent_out()
    assert address == expected


def test_sdp_reaches_the_line_rebuilt() -> None:
    world = World()
    world.from_network(invite(body=SDP + "a=candidate:1 1 UDP 1 evil 1 typ host\na=crypto:1 x\n"))
    seen = message(world.to_line())
    assert b"candidate" not in seen.body
    assert b"crypto" not in seen.body
    assert b"m=audio 30000 RTP/AVP 8 101\r\n" in seen.body
    assert seen.first(b"content-length") == b"%d" % len(seen.body)


def test_an_invite_without_sdp_passes_as_it_is() -> None:
    world = World()
    world.from_network(invite(body=""))
    assert message(world.to_line()).body == b""


def test_no_usable_audio_is_refused_without_taking_a_line() -> None:
    world = World()
    world.from_network(invite(body=SDP.replace("RTP/AVP 8", "RTP/SAVP 8")))
    assert message(world.to_network()).status == 488
    assert not world.lines.slots


def test_a_full_house_answers_503_with_retry_after_and_its_ack_is_no_stranger() -> None:
    world = World(free=0)
    world.from_network(invite())
    answer = message(world.to_network())
    assert (answer.status, answer.first(b"retry-after")) == (503, b"10")
    world.from_network(in_dialog("ACK", tags=("ct", answer.to_tag.decode()), branch="z9hG4bKa1"))
    assert world.sent_in() == []
    assert (world.count("rejected_full"), world.count("no_dialog")) == (1, 0)


def test_a_refused_invite_that_arrives_again_is_not_admitted_after_all() -> None:
    world = World(free=0)
    world.from_network(invite())
    refusal = world.to_network()
    world.lines.free = 5
    world.from_network(invite())
    assert world.to_network() == refusal
    assert not world.calls
    world.from_network(invite(branch="z9hG4bKnew", cseq=2))
    assert len(world.calls) == 1


def test_a_retransmission_reaches_the_same_line_as_the_same_transaction() -> None:
    world = World()
    world.from_network(invite())
    first = world.to_line()
    world.from_network(invite())
    assert world.to_line() == first
    assert (len(world.calls), world.count("retransmitted")) == (1, 1)


def test_a_merged_request_is_answered_482() -> None:
    world = World()
    world.from_network(invite())
    world.sent_in()
    world.from_network(invite(branch="z9hG4bKother"))
    assert message(world.to_network()).status == 482
    assert len(world.calls) == 1


def test_cancel_reaches_the_line_with_the_branch_of_its_invite() -> None:
    world = World()
    world.from_network(invite())
    rung = branch(message(world.to_line()))
    cancel = in_dialog("CANCEL", tags=("ct", ""), branch="z9hG4bKa1")
    world.from_network(cancel)
    seen = message(world.to_line())
    assert (seen.method, branch(seen)) == ("CANCEL", rung)
    world.from_network(in_dialog("CANCEL", tags=("ct", ""), branch="z9hG4bKwrong"))
    assert message(world.to_network()).status == 481


def test_the_ack_of_a_refusal_has_the_branch_of_its_invite() -> None:
    world = World()
    world.from_network(invite())
    seen = world.to_line()
    world.from_line(reply(seen, "486 Busy Here", tag="lt"))
    assert message(world.to_network()).status == 486
    world.from_network(in_dialog("ACK", branch="z9hG4bKa1"))
    assert branch(message(world.to_line())) == branch(message(seen))


def test_requests_within_the_dialog_reach_the_line_without_our_routes() -> None:
    world = World()
    world.answered_call()
    for cseq, method in enumerate(("UPDATE", "INVITE", "BYE"), start=2):
        world.from_network(in_dialog(method, cseq=cseq, branch=f"z9hG4bKd{cseq}"))
        seen = message(world.to_line())
        assert seen.method == method
        assert seen.values(b"route") == []


def test_a_lines_bye_goes_to_the_callers_contact() -> None:
    world = World()
    world.answered_call(extra="Contact: <sip:me@198.51.100.9:5090>")
    world.from_line(line_request("BYE", uri="sip:me@198.51.100.9:5090"))
    ((data, address),) = world.sent_out()
    assert address == ("198.51.100.9", 5090)
    seen = message(data)
    assert seen.values(b"route") == []
    assert top_via(seen).startswith(b"SIP/2.0/UDP 192.0.2.10:5060;rport;branch=")


def test_a_lines_bye_follows_the_callers_proxies() -> None:
    world = World()
    world.answered_call(extra="Record-Route: <sip:198.51.100.2:5080;lr>, <sip:198.51.100.3;lr>")
    world.from_line(line_request("BYE"))
    ((data, address),) = world.sent_out()
    assert address == ("198.51.100.2", 5080)
    assert message(data).values(b"route") == [b"<sip:198.51.100.2:5080;lr>", b"<sip:198.51.100.3;lr>"]


def test_the_answer_to_a_lines_bye_comes_back_to_it() -> None:
    world = World()
    world.answered_call()
    world.from_line(line_request("BYE"))
    world.from_network(reply(world.to_network(), "200 OK"))
    seen = message(world.to_line())
    assert (seen.status, seen.cseq_method) == (200, "BYE")
    assert len(seen.values(b"via")) == 1


def test_a_private_contact_behind_a_public_source_is_answered_at_the_source() -> None:
    world = World(trunk={"allow": ["8.8.8.0/24"]})
    world.from_network(invite(extra="Contact: <sip:me@10.0.0.9:5090>"), ("8.8.8.8", 6060))
    world.from_line(reply(world.to_line(), "200 OK", tag="lt", body=SDP))
    world.sent_out()
    world.from_line(line_request("BYE", uri="sip:me@10.0.0.9:5090"))
    ((_, address),) = world.sent_out()
    assert address == ("8.8.8.8", 6060)


def test_a_call_may_try_again_after_a_refusal_with_the_same_call_id() -> None:
    world = World()
    world.from_network(invite())
    world.from_line(reply(world.to_line(), "401 Unauthorized", tag="lt"))
    world.from_network(invite(cseq=2, branch="z9hG4bKa2"))
    assert len(world.calls) == 2


def test_an_error_behind_the_door_gives_the_line_back_and_the_caller_an_answer() -> None:
    world = World()

    def breaks(slot: object, call: object) -> None:
        raise RuntimeError("no node")

    world.door._admission._on_call = breaks
    world.from_network(invite())
    assert message(world.to_network()).status == 500
    assert world.lines.slots[0].released == 1
    assert world.door.status()["dialogs"]["early"] == 0


def test_behind_nat_the_public_address_is_shown_in_contact_and_sdp() -> None:
    world = World(public_address="203.0.113.50:5080", media_address="10.0.0.5")
    world.from_network(invite())
    seen = world.to_line()
    body = SDP.replace("198.51.100.1", "10.0.0.5")
    world.from_line(reply(seen, "200 OK", tag="lt", extra=f"Contact: <sip:12345@127.0.0.1:{LINE}>", body=body))
    answer = message(world.to_network())
    assert answer.first(b"contact") == b"<sip:12345@203.0.113.50:5080>"
    assert b"c=IN IP4 203.0.113.50\r\n" in answer.body
    assert b"10.0.0.5" not in answer.body


def test_options_is_answered_by_the_door_itself() -> None:
    world = World()
    world.from_network(
        packet("OPTIONS sip:192.0.2.10 SIP/2.0", cseq="9 OPTIONS", via="SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKo")
    )
    answer = message(world.to_network())
    assert answer.status == 200
    assert b"INVITE" in (answer.first(b"allow") or b"")
    assert answer.to_tag


def test_a_reinvite_of_the_caller_refreshes_where_the_lines_requests_go() -> None:
    world = World()
    world.answered_call()
    world.from_network(in_dialog("INVITE", cseq=2, extra="Contact: <sip:moved@198.51.100.77:5099>", body=SDP))
    world.sent_in()
    world.door.line_died(LINE)
    ((data, address),) = world.sent_out()
    assert address == ("198.51.100.77", 5099)
    assert message(data).uri == b"sip:moved@198.51.100.77:5099"


@pytest.mark.parametrize("hops", ["0", "00", "x", "-1", "256"])
def test_hops_do_not_matter_where_the_way_ends(hops: str) -> None:
    world = World()
    world.from_network(invite(extra=f"Max-Forwards: {hops}"))
    assert message(world.to_line()).method == "INVITE"


def test_the_door_is_not_its_own_address_for_lines_until_started() -> None:
    assert World().door.inner_uri == f"sip:127.0.0.1:{INNER};lr"
    assert World().door.status()["listen"] == f"{DOOR}:5060"
