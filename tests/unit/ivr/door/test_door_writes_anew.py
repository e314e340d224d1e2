"""What a line sees is written anew: no byte of a stranger's headers can make its parser drop a call."""

from __future__ import annotations

import re

import pytest

from tests.fakes.door import LINE, SDP, TRUNK, World, branch, in_dialog, invite, line_invite, message, reply

H = "Max-Forwards: 70"
# name -> what replaces what in a plain INVITE; each was let in by the door and dropped without a word by the line
ODD_INVITES: dict[str, tuple[bytes, bytes]] = {
    "a bar in the user": (b"From: <sip:1", b"From: <sip:a|b1"),
    "a raw UTF-8 user": (b"From: <sip:1", b"From: <sip:\xe5\xb8\x821"),
    "a name in GBK": (b"From: <", b'From: "\xca\xd0\xc3\xf1" <'),
    "a bare name in GBK": (b"From: <", b"From: \xca\xd0\xc3\xf1 <"),
    "a bare name in UTF-8": (b"From: <", b"From: \xe5\xb8\x82\xe6\xb0\x91 <"),
    "a host with an underscore": (b"@carrier>", b"@my_host>"),
    "a tel: caller": (b"From: <sip:13800001111@carrier>", b"From: <tel:+8613800001111>"),
    "an IPv6 host in To": (b"To: <sip:12345@hotline>", b"To: <sip:12345@[::1]>"),
    "a star as Contact": (b"<sip:1380@198.51.100.1:5060>", b"*"),
    "a Contact of nothing": (b"<sip:1380@198.51.100.1:5060>", b"<<>>"),
    "a tel: Contact": (b"<sip:1380@198.51.100.1:5060>", b"<tel:1>"),
    "no Contact": (b"Contact: <sip:1380@198.51.100.1:5060>\r\n", b""),
    "an empty Supported": (H.encode(), b"Supported:\r\n" + H.encode()),
    "commas in Allow": (H.encode(), b"Allow: ,,,\r\n" + H.encode()),
    "letters in Session-Expires": (H.encode(), b"Session-Expires: abc\r\nSupported: timer\r\n" + H.encode()),
    "letters in Min-SE": (H.encode(), b"Min-SE: abc\r\n" + H.encode()),
    "an Authorization of nothing": (H.encode(), b"Authorization: Digest =,=\r\n" + H.encode()),
    "letters in Expires": (H.encode(), b"Expires: x\r\n" + H.encode()),
    "a Route that is none": (H.encode(), b"Route: x\r\n" + H.encode()),
    "a Record-Route with a blank": (H.encode(), b"Record-Route: <sip:a b>\r\n" + H.encode()),
    "a Record-Route left open": (H.encode(), b'Record-Route: "<sip:a>, <\r\n' + H.encode()),
    "a hundred Record-Routes": (H.encode(), b"Record-Route: <sip:198.51.100.1;lr>\r\n" * 100 + H.encode()),
    "an identity that cannot be read": (H.encode(), b"P-Asserted-Identity: <sip:\x80>\r\n" + H.encode()),
    "an identity left open": (H.encode(), b'P-Asserted-Identity: "<sip:1\r\n' + H.encode()),
    "a second Via that cannot be read": (H.encode(), b'Via: "SIP/2.0/UDP a_b\r\n' + H.encode()),
    "a date that is none": (H.encode(), b"Date: x\r\n" + H.encode()),
    "a tag with @": (b"tag=ct", b"tag=ct@h"),
    "a tag with a colon": (b"tag=ct", b"tag=ct:5"),
    "a tag of 300 characters": (b"tag=ct", b"tag=" + b"c" * 300),
    "an odd Call-ID": (b"Call-ID: c1", b'Call-ID: a{b}[c]?/\\\\"x"@c1'),
    "a Call-ID of 256 characters": (b"Call-ID: c1", b"Call-ID: " + b"c" * 256),
    "a type with a charset": (b"application/sdp", b'application/sdp;charset="utf-8"'),
    "an unheard-of type of header": (H.encode(), b"X-\xff\xfe: 1\r\nno header at all\r\n" + H.encode()),
    "15 kB of identity": (H.encode(), b"Identity: " + b"e" * 15000 + b"\r\n" + H.encode()),
}
_PLAIN = {
    "via": rb"SIP/2\.0/UDP 127\.0\.0\.1:40000;rport;branch=z9hG4bK[0-9a-f]{24}",
    "from": rb"<sip:far@127\.0\.0\.1>;tag=[A-Za-z0-9._-]{1,80}",
    "to": rb"<sip:line@127\.0\.0\.1>",
    "call-id": rb"[A-Za-z0-9._-]{1,80}(@[A-Za-z0-9._-]{1,80})?",
    "contact": rb"<sip:far@127\.0\.0\.1:40000>",
    "cseq": rb"1 INVITE",
}


@pytest.mark.parametrize("odd", ODD_INVITES, ids=lambda odd: odd.replace(" ", "_"))
def test_an_odd_invite_is_plain_for_the_line_and_as_it_was_for_its_sender(odd: str) -> None:
    old, new = ODD_INVITES[odd]
    world = World()
    sent = invite().replace(old, new, 1)
    assert sent != invite()
    world.from_network(sent)
    seen = world.to_line()
    assert len(seen) < 1500
    for name, pattern in _PLAIN.items():
        assert re.fullmatch(pattern, message(seen).first(name.encode()) or b""), name
    world.from_line(reply(seen, "200 OK", tag="lt", extra=f"Contact: <sip:12345@127.0.0.1:{LINE}>", body=SDP))
    ((answer, address),) = world.sent_out()
    assert address == TRUNK
    asked = sent.partition(b"\r\n\r\n")[0].split(b"\r\n")
    for line in asked:
        header = line.partition(b":")[0].lower()
        if header in (b"from", b"call-id", b"cseq", b"record-route"):
            assert line in answer.split(b"\r\n"), line
        elif header == b"via":
            assert line in answer


def test_a_dialog_with_odd_names_lives_and_ends_by_either_side() -> None:
    odd_id, odd_tag = "c" * 200, "t@" + "9" * 100
    for ends in ("network", "line"):
        world = World()
        world.from_network(invite(odd_id, tag=odd_tag))
        seen = message(world.to_line())
        answer = reply(seen.to_bytes(), "200 OK", tag="lt", extra=f"Contact: <sip:a@127.0.0.1:{LINE}>", body=SDP)
        world.from_line(answer)
        assert message(world.to_network()).call_id == odd_id.encode()
        world.from_network(in_dialog("ACK", odd_id, tags=(odd_tag, "lt")))
        assert message(world.to_line()).call_id == seen.call_id
        if ends == "network":
            world.from_network(in_dialog("BYE", odd_id, tags=(odd_tag, "lt"), cseq=2, branch="z9hG4bKb2"))
            world.from_line(reply(world.to_line(), "200 OK"))
        else:
            from_ = f"<sip:line@127.0.0.1>;tag=lt\r\nTo: <sip:far@127.0.0.1>;tag={seen.from_tag.decode()}"
            world.from_line(
                f"BYE sip:far@127.0.0.1:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{LINE};rport;branch=z9hG4bKl2\r\n"
                f"From: {from_}\r\nCall-ID: {seen.call_id.decode()}\r\nCSeq: 1 BYE\r\n\r\n".encode()
            )
        last = message(world.to_network())
        assert (last.call_id, last.cseq_method) == (odd_id.encode(), "BYE")
        assert odd_tag.encode() in (last.from_tag, last.to_tag)
        assert world.door.status()["dialogs"]["ended"] == 1


def test_a_retransmitted_invite_gets_the_same_answer_and_the_line_does_not_hear_it() -> None:
    world = World()
    world.from_network(invite())
    world.from_line(reply(world.to_line(), "200 OK", tag="lt", body=SDP))
    answer = world.to_network()
    world.from_network(in_dialog("ACK"))
    world.sent_in()
    world.from_network(invite())
    assert world.to_network() == answer
    assert world.sent_in() == []


def test_a_line_that_says_nothing_for_two_seconds_is_answered_for_and_taken_back() -> None:
    world = World()
    world.from_network(invite())
    world.reactor.advance(1.9)
    assert world.sent_out() == []
    world.reactor.advance(0.2)
    assert message(world.to_network()).status == 500
    assert world.lines.slots[0].given_up == 1
    assert world.count("line_mute") == 1


def test_a_line_that_has_said_100_is_not_mute() -> None:
    world = World()
    world.from_network(invite())
    world.from_line(reply(world.to_line(), "100 Trying"))
    world.sent_out()
    world.reactor.advance(3.0)
    assert world.sent_out() == []
    assert world.lines.slots[0].given_up == 0


def test_what_a_line_refuses_is_told_at_once() -> None:
    world = World()
    world.from_network(invite())
    world.from_line(reply(world.to_line(), "422 Session Interval Too Small", tag="lt", extra="Min-SE: 90"))
    answer = message(world.to_network())
    assert (answer.status, answer.first(b"min-se")) == (422, b"90")
    assert world.lines.slots[0].refusals == [("c1", 422)]


@pytest.mark.parametrize(
    ("header", "unsupported"),
    [("Require: 100rel, timer", b"100rel"), ("Proxy-Require: Foo", b"foo"), ("Require: ;;", b"unknown")],
)
def test_an_extension_nobody_serves_is_answered_420(header: str, unsupported: bytes) -> None:
    world = World()
    world.from_network(invite(extra=header))
    answer = message(world.to_network())
    assert (answer.status, answer.first(b"unsupported")) == (420, unsupported)
    assert not world.lines.slots


def test_a_ping_within_a_dialog_is_answered_by_the_door() -> None:
    world = World()
    world.answered_call()
    world.from_network(in_dialog("OPTIONS", cseq=2, branch="z9hG4bKo"))
    assert message(world.to_network()).status == 200
    assert world.sent_in() == []


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [("text/plain", "hello", 415), ("", "", 200), ("application/dtmf", "noise", 200)],
)
def test_an_info_that_is_no_key_is_answered_by_the_door(kind: str, body: str, status: int) -> None:
    world = World()
    world.answered_call()
    data = in_dialog("INFO", cseq=2, branch="z9hG4bKi", body=body).replace(b"application/sdp", kind.encode())
    world.from_network(data)
    assert message(world.to_network()).status == status
    assert world.sent_in() == []


def test_a_key_by_application_dtmf_reaches_the_line_as_dtmf_relay() -> None:
    world = World()
    world.answered_call()
    data = in_dialog("INFO", cseq=2, branch="z9hG4bKi", body="7").replace(b"application/sdp", b"application/dtmf")
    world.from_network(data)
    seen = message(world.to_line())
    assert seen.first(b"content-type") == b"application/dtmf-relay"
    assert seen.body == b"Signal=7\r\nDuration=160\r\n"


def test_glare_is_answered_491() -> None:
    world = World()
    world.answered_call()
    reinvite = line_invite("sip:far@127.0.0.1:40000", call_id="c1", cseq=7, branch="z9hG4bKr")
    world.from_line(reinvite.replace(b"To: <sip:far@127.0.0.1:40000>", b"To: <sip:far@127.0.0.1>;tag=ct"))
    assert message(world.to_network()).method == "INVITE"
    world.from_network(in_dialog("INVITE", cseq=2, branch="z9hG4bKg", body=SDP))
    assert message(world.to_network()).status == 491
    assert world.sent_in() == []


def test_a_second_reinvite_before_the_answer_to_the_first_is_answered_500() -> None:
    world = World()
    world.answered_call()
    world.from_network(in_dialog("INVITE", cseq=2, branch="z9hG4bKg", body=SDP))
    world.sent_in()
    world.from_network(in_dialog("INVITE", cseq=3, branch="z9hG4bKh", body=SDP))
    answer = message(world.to_network())
    assert (answer.status, answer.first(b"retry-after")) == (500, b"3")


def test_an_answer_reaches_the_line_plain_whatever_its_sender_wrote() -> None:
    world = World()
    sent = world.placed_call()
    junk = "Contact: <<>>\nAllow: ,,\nRequire: ;\nSession-Expires: x\nRecord-Route: <sip:a b>\nServer: \xff"
    answer = reply(sent, "180 \xca\xd0", tag="p@" + "t" * 200, extra=junk)
    world.from_network(answer)
    seen = message(world.to_line())
    assert seen.start == b"SIP/2.0 180 Ringing"
    assert seen.first(b"contact") == b"<sip:far@127.0.0.1:40000>"
    assert re.fullmatch(rb"x[0-9a-f]{32}", seen.to_tag)
    assert {b"allow", b"require", b"session-expires", b"record-route", b"server"}.isdisjoint(seen.names)


def test_a_moved_phone_tells_the_line_where_to_only_in_plain_words() -> None:
    for contact, told in (("<sip:8002@198.51.100.1>", b"<sip:8002@198.51.100.1:5060>"), ("<sip:a|b@x_y>", None)):
        world = World()
        sent = world.placed_call()
        world.from_network(reply(sent, "302 Moved", tag="pt", extra=f"Contact: {contact}"))
        assert message(world.to_line()).first(b"contact") == told


def test_a_challenge_of_the_trunk_reaches_the_line_and_junk_does_not() -> None:
    world = World()
    sent = world.placed_call()
    good = 'WWW-Authenticate: Digest realm="carrier", nonce="abc/+=", algorithm=MD5, qop="auth"'
    world.from_network(reply(sent, "401 Unauthorized", tag="pt", extra=good + '\nWWW-Authenticate: Digest =,="'))
    assert [value.decode() for value in message(world.to_line()).every(b"www-authenticate")] == [good[18:]]


def test_only_the_answers_to_what_was_asked_reach_a_line() -> None:
    world = World()
    sent = message(world.placed_call())
    forged = reply(sent.to_bytes(), "200 OK", tag="pt", body=SDP).replace(branch(sent), b"z9hG4bKforged")
    world.from_network(forged)
    assert world.sent_in() == []
    assert world.count("no_dialog") == 1


def test_a_bye_goes_back_to_the_source_when_the_contact_is_junk() -> None:
    world = World()
    world.from_network(invite(extra="Contact: <sip:a@my_host_that_is_nowhere>"), ("198.51.100.7", 5066))
    world.from_line(reply(world.to_line(), "200 OK", tag="lt", body=SDP))
    world.sent_out()
    world.door.line_died(LINE)
    ((data, address),) = world.sent_out()
    assert message(data).method == "BYE"
    assert address == ("198.51.100.7", 5066)


def test_a_door_that_drains_lets_nobody_in_and_says_so_and_calls_go_on() -> None:
    world = World()
    world.answered_call()
    world.door.drain()
    world.from_network(invite("late", branch="z9hG4bKlate", tag="lt2"))
    answer = message(world.to_network())
    assert (answer.status, answer.first(b"retry-after")) == (503, b"10")
    ping = in_dialog("OPTIONS", "ping", tags=("pt", ""), branch="z9hG4bKp")
    world.from_network(ping)
    assert message(world.to_network()).status == 503
    world.from_network(in_dialog("BYE", cseq=2, branch="z9hG4bKb2"))
    assert message(world.to_line()).method == "BYE"


def test_a_session_timer_is_asked_for_in_the_name_of_a_caller_who_can() -> None:
    for headers, asked in (("Supported: timer", b"600"), ("Supported: timer\nSession-Expires: 1800;refresher=UAC",
                           b"1800;refresher=uac"), ("Supported: 100rel", None)):  # fmt: skip
        world = World()
        world.from_network(invite(extra=headers))
        assert message(world.to_line()).first(b"session-expires") == asked
