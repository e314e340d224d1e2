"""What the door does not let through: foreign sources, other methods, strays, and what is no message."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.door import LINE, SDP, STRANGER, World, in_dialog, invite, line_invite, message, packet, reply


def test_a_foreign_source_meets_silence_and_a_counter() -> None:
    world = World()
    for data in (invite(), packet("OPTIONS sip:a@b SIP/2.0", cseq="1 OPTIONS", via="SIP/2.0/UDP x"), b"junk"):
        world.from_network(data, STRANGER)
    assert world.sent_out() == world.sent_in() == []
    assert world.count("foreign_source") == 3


def test_an_ack_without_to_tag_never_reaches_a_line() -> None:
    world = World()
    world.from_network(invite())
    seen = world.to_line()
    world.from_network(in_dialog("ACK", tags=("ct", "")))
    world.from_line(reply(seen, "200 OK", tag="lt", body=SDP))
    world.from_network(in_dialog("ACK", tags=("ct", "")))
    assert world.sent_in() == []
    assert world.count("ack_without_tag") == 2


def test_an_ack_before_any_final_answer_never_reaches_a_line() -> None:
    world = World()
    world.from_network(invite())
    world.from_line(reply(world.to_line(), "180 Ringing", tag="lt"))
    world.from_network(in_dialog("ACK"))
    world.from_network(in_dialog("ACK", tags=("ct", "guessed")))
    assert world.sent_in() == []
    assert world.count("no_dialog") == 2


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "INVITE", "OPTIONS"])
@pytest.mark.parametrize("tags", [("ct", "wrong"), ("wrong", "lt")])
def test_a_request_with_wrong_tags_is_answered_481(method: str, tags: tuple[str, str]) -> None:
    world = World()
    world.answered_call()
    world.from_network(in_dialog(method, tags=tags, cseq=2))
    assert message(world.to_network()).status == 481
    assert world.sent_in() == []


def test_a_request_with_the_lines_own_tags_does_not_come_from_outside() -> None:
    world = World()
    world.answered_call()
    world.from_network(in_dialog("BYE", tags=("lt", "ct"), cseq=2))
    assert message(world.to_network()).status == 481
    assert world.sent_in() == []


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "CANCEL"])
def test_a_request_of_no_dialog_is_answered_481(method: str) -> None:
    world = World()
    world.from_network(in_dialog(method, tags=("ct", "")))
    assert message(world.to_network()).status == 481
    assert world.count("no_dialog") == 1


@pytest.mark.parametrize(
    "method", ["SUBSCRIBE", "MESSAGE", "NOTIFY", "PUBLISH", "REGISTER", "REFER", "PRACK", "invite", "X-Y"]
)
def test_other_methods_are_answered_405_with_allow(method: str) -> None:
    world = World()
    world.answered_call()
    for tags in (("ct", ""), ("ct", "lt")):
        world.from_network(in_dialog(method, tags=tags, cseq=3))
        answer = message(world.to_network())
        assert answer.status == 405
        assert answer.first(b"allow") == b"INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE"
    assert world.count("method_refused") == 2
    assert world.sent_in() == []


@pytest.mark.parametrize("uri", ["sips:12345@h", "http://h/", "nobodyKnowsThisScheme:totallyopaquecontent"])
def test_other_uri_schemes_are_answered_416(uri: str) -> None:
    world = World()
    world.from_network(invite().replace(b"sip:12345@192.0.2.10", uri.encode(), 1))
    assert message(world.to_network()).status == 416


def test_too_long_a_message_is_answered_513_and_reaches_no_line() -> None:
    world = World(max_message_bytes=2000)
    world.from_network(invite(extra="X: " + "a" * 2000))
    assert message(world.to_network()).status == 513
    assert world.sent_in() == []
    assert world.count("oversize") == 1


def test_the_second_message_in_a_datagram_is_cut_off_and_counted() -> None:
    world = World()
    world.from_network(invite(body="") + invite("second"))
    assert b"second" not in world.to_line()
    assert len(world.calls) == 1
    assert world.count("two_in_one") == 1


def test_a_body_shorter_than_its_length_is_answered_400() -> None:
    world = World()
    world.from_network(invite()[:-5])
    assert message(world.to_network()).status == 400
    assert not world.calls


def test_a_keepalive_is_nothing() -> None:
    world = World()
    for data in (b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b""):
        world.from_network(data)
    assert world.count("bad_message") == 0


@pytest.mark.parametrize(("old", "new"), [(b"CSeq: 1 INVITE\r\n", b"CSeq: 1 INVITE\n"), (b"To: ", b"To: \r")])
def test_a_line_end_that_is_no_crlf_is_answered_400(old: bytes, new: bytes) -> None:
    world = World()
    data = invite()
    assert old in data
    world.from_network(data.replace(old, new, 1))
    assert message(world.to_network()).status == 400
    assert world.sent_in() == []
    assert world.count("bad_message") == 1


@pytest.mark.parametrize(("old", "new"), [(b"12345@hot", b"1\x002345@hot"), (b"\r\nTo: ", b"\r\n: x\r\nTo: ")])
def test_what_the_line_never_sees_keeps_nobody_out(old: bytes, new: bytes) -> None:
    world = World()
    data = invite()
    assert old in data
    world.from_network(data.replace(old, new, 1))
    assert b"\0" not in world.to_line()
    assert len(world.calls) == 1


def test_an_answer_nobody_asked_for_goes_nowhere() -> None:
    world = World()
    mine = "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKx"
    world.from_network(packet("SIP/2.0 200 OK", cseq="1 INVITE", via=[mine, "SIP/2.0/UDP 203.0.113.1:9"]))
    world.from_network(packet("SIP/2.0 200 OK", cseq="1 INVITE", via=["SIP/2.0/UDP 203.0.113.1:9", mine]))
    assert world.sent_in() == world.sent_out() == []
    assert (world.count("no_dialog"), world.count("bad_message")) == (1, 1)


def test_the_lines_side_hears_lines_only() -> None:
    world = World()
    world.from_line(line_invite("sip:a@198.51.100.1"), port=2222)
    assert world.sent_out() == []
    assert world.count("unknown_line") == 1


def test_a_line_cannot_speak_in_another_lines_dialog() -> None:
    world = World()
    world.from_network(invite())
    world.from_line(reply(world.to_line(), "200 OK", tag="lt"), port=LINE + 5)
    assert world.sent_out() == []
    assert world.count("no_dialog") == 1


PIECES = st.sampled_from(
    [
        b"INVITE sip:a@b SIP/2.0\r\n",
        b"SIP/2.0 200 OK\r\n",
        b"ACK sip:a@b SIP/2.0\r\n",
        b"Via: SIP/2.0/UDP h;branch=z\r\n",
        b"v: SIP/2.0/UDP 192.0.2.10:5060\r\n",
        b"From: <sip:a@b>;tag=ct\r\n",
        b't: "x" <sip:b>;tag=lt\r\n',
        b"Call-ID: c1\r\n",
        b"CSeq: 1 INVITE\r\n",
        b"CSeq: 1 ACK\r\n",
        b"l: 5\r\n",
        b"Content-Length: 0\r\n",
        b"\r\n",
        b"\r\n ",
        b"Contact: <",
        b"Route: <sip:192.0.2.10;lr>,",
        b"Content-Type: application/sdp\r\n",
        b"m=audio 1 RTP/AVP 8\r\n",
        b"c=IN IP4 1.2.3.4\r\n",
        b"Content-Type: multipart/mixed;boundary=x\r\n",
        b"--x\r\n",
        b"Max-Forwards: 7\r\n",
        b'"',
        b";",
        b",",
        b"\0",
        b"\xff",
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.one_of(
        st.binary(max_size=300), st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=24).map(b"".join)
    )
)
def test_no_bytes_whatsoever_escape_into_the_reactor(data: bytes) -> None:
    world = World()
    world.answered_call()
    world.from_network(data)
    world.from_line(data)
    stream, _ = world.connect() or pytest.fail("refused")
    stream.dataReceived(data)
    assert world.count("failed") == 0
    world.sent_in()
    world.sent_out()
    world.from_network(invite("c9", tag="t9", branch="z9hG4bK9"))
    assert world.sent_in(), "the door no longer serves"


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.integers(0, 700), put=st.one_of(PIECES, st.binary(max_size=4)), cut=st.integers(0, 60))
def test_no_damage_to_a_real_message_escapes_into_the_reactor(at: int, put: bytes, cut: int) -> None:
    world = World()
    for data in (invite("c2"), in_dialog("INVITE", cseq=2, body=SDP), in_dialog("BYE", cseq=2)):
        world.from_network(data[:at] + put + data[at + cut :])
    for data in (line_invite("sip:a@198.51.100.1"), reply(invite("c2"), "200 OK", tag="lt", body=SDP)):
        world.from_line(data[:at] + put + data[at + cut :])
    assert world.count("failed") == 0


HOSTILE: dict[str, Any] = {
    "spaces": b" " * 7000,
    "semicolons": b";" * 7000,
    "commas": b"," * 7000,
    "quotes": b'"' * 7001,
    "brackets": b"<" * 7000,
    "escapes": b'"' + b"\\" * 7000,
    "params": b"<sip:a@b>" + b";a=b" * 1700,
    "open": b'"a" ' * 1700,
    "folds": b"\r\n x" * 150,
    "tags": b";tag= " * 1100,
    "vias": b"SIP/2.0/UDP h " + b" " * 6900 + b"x",
    "rports": b"SIP/2.0/UDP h;rport" + b" " * 6900 + b"x",
    "sips": b"sip:" * 1700,
    "ats": b"sip:" + b"@" * 7000,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "header",
    [
        b"Via: ",
        b"From: ",
        b"To: ",
        b"Contact: ",
        b"Route: ",
        b"Record-Route: ",
        b"Content-Length: ",
        b"CSeq: ",
        b"Call-ID: ",
        b"Content-Type: ",
    ],
)
def test_no_header_can_be_written_so_that_reading_it_takes_long(name: str, header: bytes) -> None:
    world = World()
    start, _, rest = invite().partition(b"\r\n")
    lines = [line for line in rest.split(b"\r\n") if not line.startswith(header)]
    began = time.process_time()
    world.from_network(b"\r\n".join([start, header + HOSTILE[name], *lines]))
    assert time.process_time() - began < 0.1
    assert world.count("failed") == 0
