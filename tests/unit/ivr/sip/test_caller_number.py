"""What the headers of an INVITE tell of who rings."""

from __future__ import annotations

import pytest

from config.number_form import CALLER_FROM
from config.settings import PhoneManners, Settings
from ivr.sip.caller_number import caller_numbers
from ivr.sip.message import SipMessage, read
from routing.dial_rules import dial_rules

RULES = dial_rules(Settings(phone=PhoneManners()))
ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


def invite(from_: str = "<sip:13900000001@c>", *headers: str) -> SipMessage:
    lines = [
        "INVITE sip:12345@hotline SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "Call-ID: c1",
        "CSeq: 1 INVITE", f"From: {from_};tag=1", "To: <sip:12345@hotline>", *headers,
    ]  # fmt: skip
    return read("\r\n".join([*lines, "", ""]).encode())


def who(message: SipMessage, headers: tuple[str, ...] = CALLER_FROM) -> str:
    return RULES.caller(caller_numbers(message, headers))


@pytest.mark.parametrize(
    ("from_", "number"),
    [
        ("<sip:+862162345678@c;user=phone>", "02162345678"),
        ("<sip:862162345678@c>", "02162345678"),
        ("<sip:013800138012@c>", "13800138012"),
        ("<sip:62501237@c>", "02162501237"),
        ("sip:8613800138011@c", "13800138011"),
        ("<sip:%2B8613800138000@c>", "13800138000"),
        ("<sip:138%2D0013%2D8000@c>", "13800138000"),
        ("<sip:+86-21-6234-5678@c>", "02162345678"),
        ("<sip:+86.21.6234.5678;npdi;rn=+8621@c>", "02162345678"),
        ("<sip:13800138000;phone-context=+86@c;user=phone>", "13800138000"),
        ("<sip:62345678;phone-context=+8621@c>", "02162345678"),
        ("<sip:87654321;phone-context=+86571@c>", "057187654321"),
        ("<sip:13800138000;phone-context=ims.mnc000.mcc460.3gppnetwork.org@c>", "13800138000"),
        ("<tel:+86-138-0013-8000>", "13800138000"),
        ("<tel:62345678;phone-context=+8621>", "02162345678"),
        ("<tel:+862162345678;ext=803>", "02162345678-803"),
        ("<sip:13800138000:secret@c>", "13800138000"),
        ("<sip:13800138000|trunk7@c>", "13800138000"),
        ("<sip:13800138000>", "13800138000"),
        ('"张三, 13900000000" <sip:13800138000@c>', "13800138000"),
        ("<sip:%EF%BC%91%EF%BC%93800138000@c>", "13800138000"),
        ("<sip:1380013800%D9%A0@c>", "1380013800٠"),
        ("<sip:62345678;phone-context=+852@c>", "+85262345678"),
        ("<sip:0085212345678@c>", "0085212345678"),
        ("<sip:192.0.2.7>", ""),
        (ANONYMOUS, ""),
    ],
)
def test_a_from_header_is_read_however_the_number_stands_in_it(from_: str, number: str) -> None:
    assert who(invite(from_)) == number


@pytest.mark.parametrize(
    "header",
    [
        "P-Asserted-Identity: <sip:+8613800138008@c>",
        'P-Asserted-Identity: "Zhang" <sip:zhang@c>, <tel:+8613800138008>',
        "P-Asserted-Identity: <sip:zhang@c>\r\nP-Asserted-Identity: <tel:13800138008;phone-context=+86>",
        "P-Asserted-Identity: <sip:\x80>, <tel:+8613800138008>",
        "P-Preferred-Identity: <sip:13800138008@c>",
        "Remote-Party-ID: <sip:13800138008@c>;party=calling;privacy=off;screen=yes",
        'Remote-Party-ID: "Called" <sip:13900000000@c>;party=called, <sip:13800138008@c>;party=calling',
        "P-Asserted-Identity: <sip:13800138008@c>\r\nPrivacy: id;critical",
        'P-Asserted-Identity: "unclosed <sip:1@c>\r\nRemote-Party-ID: <sip:13800138008@c>',
    ],
)
def test_a_caller_whose_from_says_nothing_has_the_number_that_the_trunk_knows(header: str) -> None:
    assert who(invite(ANONYMOUS, header)) == "13800138008"


def test_what_the_trunk_asserts_comes_before_what_the_caller_says() -> None:
    asserted = "P-Asserted-Identity: <sip:+8613800138008@c>"
    assert who(invite("<sip:13900000001@c>", asserted)) == "13800138008"
    assert who(invite("<sip:13900000001@c>", "P-Preferred-Identity: <sip:13800138008@c>")) == "13900000001"


def test_who_the_trunk_knows_is_nobody_else_by_their_own_word_though_they_may_be_rung_back_there() -> None:
    for asserted, known in (("4001234567", "4001234567"), ("+85223456789", "+85223456789"), ("6111", "6111")):
        message = invite("<sip:13900000001@c>", f"P-Asserted-Identity: <sip:{asserted}@c>")
        assert who(message) == known
        assert RULES.rung_back(caller_numbers(message, CALLER_FROM)) == "13900000001"


def test_a_site_says_which_headers_a_trunk_is_believed_in_and_in_which_order() -> None:
    message = invite("<sip:13900000001@c>", "P-Asserted-Identity: <sip:+8613800138008@c>")
    assert who(message, ("from", "p_asserted_identity")) == "13900000001"
    assert who(message, ("remote_party_id",)) == ""


def test_no_more_is_read_than_a_trunk_writes() -> None:
    many = ", ".join(f"<sip:{number}@c>" for number in range(100, 140))
    assert len(caller_numbers(invite(ANONYMOUS, f"P-Asserted-Identity: {many}"), CALLER_FROM)) == 8
