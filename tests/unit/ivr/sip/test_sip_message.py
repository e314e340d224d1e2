"""The reader of SIP messages: finds what it must, edits what it is told, leaves the rest as it came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip.fields import BadMessage, address, params, split_values, uri, user_part, via
from ivr.sip.message import content_length, read
from tests.fakes.door import invite, wire

PLAIN = wire("""
INVITE sip:12345@hotline SIP/2.0
Via: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/TCP b:5061;branch=z9hG4bK2
v: SIP/2.0/UDP c;branch=z9hG4bK3
f: "Wang, Wu" <sip:1@a>;tag=ft
t: <sip:12345@hotline>
i: id@a
CSeq: 3 INVITE
m: <sip:1@a;transport=tcp>;q=0.1
Record-Route: <sip:p1;lr>, <sip:p2;lr>
l: 0
""")


def test_compact_names_and_several_values_on_a_line_are_read() -> None:
    message = read(PLAIN)
    assert (message.call_id, message.from_tag, message.to_tag) == (b"id@a", b"ft", b"")
    assert [via(value).host for value in message.values(b"via")] == ["a", "b", "c"]
    assert message.values(b"record-route") == [b"<sip:p1;lr>", b"<sip:p2;lr>"]
    assert message.values(b"contact") == [b"<sip:1@a;transport=tcp>;q=0.1"]


def test_a_message_that_is_not_edited_leaves_as_it_came() -> None:
    assert read(PLAIN).to_bytes() == PLAIN


def test_an_edit_touches_its_own_line_and_no_other() -> None:
    message = read(PLAIN)
    message.pop(b"via")
    message.push(b"via", b"SIP/2.0/UDP me;branch=z9hG4bK9")
    before, after = PLAIN.split(b"\r\n"), message.to_bytes().split(b"\r\n")
    assert after[1:3] == [b"Via: SIP/2.0/UDP me;branch=z9hG4bK9", b"Via: SIP/2.0/TCP b:5061;branch=z9hG4bK2"]
    assert after[0] == before[0]
    assert after[3:] == before[2:]


def test_popping_every_value_leaves_no_header() -> None:
    message = read(PLAIN)
    for _ in range(3):
        message.pop(b"via")
    assert message.values(b"via") == []
    assert message.top(b"via") is None


def test_a_new_body_brings_its_length() -> None:
    message = read(invite())
    message.set_body(b"12345")
    again = read(message.to_bytes())
    assert (again.body, again.first(b"content-length"), again.excess) == (b"12345", b"5", 0)


def test_what_is_beyond_the_length_is_cut_off_and_reported() -> None:
    message = read(PLAIN + b"junk")
    assert (message.body, message.excess) == (b"", 4)


def test_without_a_length_the_datagram_is_the_body_but_a_stream_has_none() -> None:
    data = PLAIN.replace(b"l: 0\r\n", b"") + b"body"
    assert read(data).body == b"body"
    assert read(data, from_stream=True).fault == (400, "Content-Length missing")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"CSeq: 3 INVITE", b"CSeq: 3 BYE"),
        (b"CSeq: 3 INVITE", b"CSeq: 2147483648 INVITE"),
        (b"CSeq: 3 INVITE", b"CSeq: three INVITE"),
        (b"CSeq: 3 INVITE\r\n", b""),
        (b"i: id@a\r\n", b""),
        (b"i: id@a\r\n", b"i: \r\n"),
        (b"i: id@a\r\n", b"i: a b\r\n"),
        (b"i: id@a\r\n", b"i: id@a\r\nCall-ID: other\r\n"),
        (b"t: <sip:12345@hotline>", b't: "open <sip:12345@hotline>'),
        (b"t: <sip:12345@hotline>", b"t: <sip:12345@hotline>;;;;"),
        (b"l: 0", b"l: -999"),
        (b"l: 0", b"l: 0x10"),
        (b"l: 0", b"l: 9"),
        (b"l: 0", b"l: 0\r\nContent-Length: 0"),
        (b"SIP/2.0/UDP a;branch=z9hG4bK1", b"SIP/2.0/UDP"),
        (b"SIP/2.0/UDP a;", b"SIP/2.0/UDP a:99999;"),
        (b"INVITE sip:12345@hotline SIP", b"INVITE  sip:12345@hotline SIP"),
        (b"INVITE sip:12345@hotline SIP", b"INVITE <sip:12345@hotline> SIP"),
    ],
)
def test_a_faulty_request_earns_400(old: bytes, new: bytes) -> None:
    assert old in PLAIN
    fault = read(PLAIN.replace(old, new, 1)).fault
    assert fault is not None
    assert fault[0] == 400


def test_another_version_earns_505() -> None:
    fault = read(PLAIN.replace(b"hotline SIP/2.0", b"hotline SIP/7.0", 1)).fault
    assert fault == (505, "Version Not Supported")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        PLAIN.replace(b"f: ", b"X: 1\r\n" * 1001 + b"f: "),
        PLAIN.replace(b"INVITE sip:12345@hotline SIP/2.0", b"SIP/2.0 99 Low"),
        PLAIN.replace(b"INVITE sip:12345@hotline SIP/2.0", b"SIP/2.0 4294967301 better not break the receiver"),
        PLAIN.replace(b"INVITE sip:12345@hotline SIP/2.0", b"HTTP/1.1 200 OK"),
        PLAIN.replace(b"INVITE sip:12345@hotline SIP/2.0", b"SIP/2.0 200 OK").replace(b"l: 0", b"l: 7"),
    ],
)
def test_what_is_no_message_is_not_read(data: bytes) -> None:
    with pytest.raises(BadMessage):
        read(data)


@pytest.mark.parametrize(
    "data", [PLAIN[:-2], PLAIN.replace(b"\r\n", b"\n"), PLAIN.replace(b"f: ", b"f: \r")]
)
def test_a_request_with_wrong_line_ends_can_still_be_refused(data: bytes) -> None:
    request = read(data)
    assert request.fault is not None
    assert request.fault[0] == 400
    assert (request.method, request.via is not None) == ("INVITE", True)


def test_a_line_that_is_no_header_is_read_past() -> None:
    assert read(PLAIN.replace(b"f: ", b"no colon\r\nf: ")).fault is None


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_bad_message(data: bytes) -> None:
    try:
        message = read(data)
    except BadMessage:
        return
    assert message.method or message.status


@given(st.lists(st.sampled_from([b"a", b'"x,y"', b"<s,t>", b'"\\","', b" "]), min_size=1).map(b"".join))
def test_commas_in_quotes_and_brackets_do_not_separate(text: bytes) -> None:
    assert split_values(text + b"," + text) == [text.strip(), text.strip()]


@pytest.mark.parametrize("text", [b'"open, b', b"<open, b", b'a, "b'])
def test_values_with_an_open_quote_are_refused(text: bytes) -> None:
    with pytest.raises(BadMessage):
        split_values(text)


def test_parameters_within_quotes_are_not_parameters() -> None:
    assert params(b';a=";tag=no";TAG=yes ; lr;empty=')[b"tag"] == b"yes"
    assert address(b'"<sip:no@no>;tag=no" <sip:a@b;tag=uri>;tag=yes') == (b"sip:a@b;tag=uri", {b"tag": b"yes"})


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (b"sip:a@[2001:db8::1]:5070;lr", "2001:db8::1", 5070),
        (b"sip:h", "h", 0),
        (b"SIP:a;b=c?d@EXAMPLE.com", "example.com", 0),
        (b"sip:a:secret@1.2.3.4:5062?x=y", "1.2.3.4", 5062),
    ],
)
def test_host_and_port_of_a_uri(text: bytes, host: str, port: int) -> None:
    parts = uri(text)
    assert (parts.host, parts.port) == (host, port)
    start, end = parts.host_span
    assert text[start:end].lower().startswith((host.encode(), b"[" + host.encode()))


@pytest.mark.parametrize("text", [b"", b"sip:", b"sip:a b@c", b"12345", b"sip:a@h:123456", b"sip:\xff@\xfe"])
def test_what_is_no_uri_is_refused(text: bytes) -> None:
    with pytest.raises(BadMessage):
        uri(text)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        (b'"A" <sip:+8613800001111;npdi@c>;tag=1', "+8613800001111"),
        (b"sip:%E5%BC%A0@c", "张"),
        (b"<tel:021555;phone-context=x>", "021555"),
        (b"<sip:a%0d%0ab:pw@c>", "a b"),
        (b"<sip:c>", ""),
    ],
)
def test_the_user_of_an_address_is_fit_to_be_shown(text: bytes, user: str) -> None:
    assert user_part(text) == user


def test_the_length_in_a_stream_is_read_by_either_name() -> None:
    assert content_length(b"A sip:b SIP/2.0\r\nL : 12\r\n") == 12
    assert content_length(b"A sip:b SIP/2.0\r\nX-Content-Length: 12\r\n") == 0
