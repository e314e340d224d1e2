"""Messages of RFC 4475, the torture tests of SIP: the valid odd ones are read, the malformed are refused."""

from __future__ import annotations

import contextlib

import pytest

from ivr.sip.fields import BadMessage, address, uri, via
from ivr.sip.message import read
from tests.fakes.door import World, message, wire

SDP = """v=0
o=mhandley 29739 7272939 IN IP4 192.0.2.3
s=-
c=IN IP4 192.0.2.4
t=0 0
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC"""

# 3.1.1.1 "A Short Tortuous INVITE"
WSINV = (
    wire(r"""
INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 150
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \"\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33
""")
    + wire(SDP)[:-2]
)


def test_the_short_tortuous_invite_is_read() -> None:
    found = read(WSINV)
    assert found.fault is None
    assert (found.method, found.cseq, found.call_id) == ("INVITE", 9, b"wsinv.ndaksdj@192.0.2.1")
    assert (found.from_tag, found.to_tag) == (b"98asjd8", b"1918181833n")
    assert [via(value).branch for value in found.values(b"via")] == [b"390skdjuw", b"z9hG4bK9ikj8", b"z9hG4bK30239"]
    assert via(found.values(b"via")[1]).host == "spindle.example.com"
    contact, parameters = address(found.top(b"contact"))
    assert contact == b"sip:jdrosen@example.com"
    assert parameters == {b"newparam": b"newvalue", b"secondparam": b"", b"q": b"0.33"}
    assert found.body.endswith(b"LPC\r\n")
    assert found.excess == 0
    assert found.to_bytes() == WSINV


def test_the_short_tortuous_invite_passes_the_door_when_it_begins_a_call() -> None:
    world = World()
    world.from_network(WSINV.replace(b" ;   tag    = 1918181833n", b""))
    seen = message(world.to_line())
    assert b"NewFangledHeader" not in seen.to_bytes()
    assert b"m=audio 49217 RTP/AVP 0\r\n" in seen.body
    assert b"m=video 0 RTP/AVP 31\r\n" in seen.body


# 3.1.1.2 "Wide Range of Valid Characters"
INTMETH = wire(
    "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:"
    "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\n"
    "Via: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\n"
    'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn\'t+it$/crazy?,/;;*@example.com>\n'
    "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>;fromParam''~+*_!.-%=\"работающий\";"
    "tag=_token~1'+`*%!-.\n"
    "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\n"
    "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~\n"
    "Max-Forwards: 255\nextensionHeader-!.%*+_`'~:大停電\nContent-Length: 0\n"
)


def test_a_wide_range_of_characters_is_read() -> None:
    found = read(INTMETH)
    assert found.fault is None
    assert found.from_tag == b"_token~1'+`*%!-."
    assert uri(found.uri).host == "example.com"
    assert found.to_bytes() == INTMETH


def head(start: str, **changes: str) -> str:
    """Return the head of a plain request with some headers changed, or taken away when empty."""
    headers = {
        "To": "<sip:user@example.com>",
        "From": "<sip:caller@example.net>;tag=134161461246",
        "Max-Forwards": "7",
        "Call-ID": "torture@example",
        "CSeq": f"8 {start.split(maxsplit=1)[0]}",
        "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdjuw23492",
        "Content-Length": "0",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return "\n".join([start, *(f"{name}: {value}" for name, value in headers.items() if value)])


VALID = {
    "3.1.1.3 esc01": head(
        "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
        To="sip:%75se%72@example.com",
        From="<sip:I%20have%20spaces@example.net>;tag=938",
        Contact="\n <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>",
    ),
    "3.1.1.4 escnull": head(
        "REGISTER sip:example.com SIP/2.0",
        To="sip:null-%00-null@example.com",
        From="sip:null-%00-null@example.com;tag=839923423",
        Contact="<sip:%00@host5.example.com>",
    ),
    "3.1.1.5 esc02": head(
        "RE%47IST%45R sip:registrar.example.com SIP/2.0",
        To='"%Z%45" <sip:resource@example.com>',
        From='"%Z%45" <sip:resource@example.com>;tag=f232jadfj23',
    ),
    "3.1.1.6 lwsdisp": head("OPTIONS sip:user@example.com SIP/2.0", From="caller<sip:caller@example.com>;tag=323"),
    "3.1.1.9 semiuri": head(
        "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0",
        To="sip:j_user@example.com",
        From="sip:caller@example.org;tag=33242",
    ),
    "3.1.1.10 transports": head(
        "OPTIONS sip:user@example.com SIP/2.0",
        Via="SIP/2.0/UNKNOWN t5.example.com;branch=z9hG4bKkdjuw\nVia: SIP/2.0/TLS x;branch=z9hG4bK1",
    ),
    "3.2.1 badbranch": head("OPTIONS sip:user@example.com SIP/2.0", Via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"),
    "3.3.4 insuf-but-2543": head(
        "INVITE sip:UserB@example.com SIP/2.0",
        From="sip:UserA@example.net",
        Max_Forwards="",
        Via="SIP/2.0/UDP iftgw.example.com",
    ),
    "3.3.7 bext01": head(
        "OPTIONS sip:user@example.com SIP/2.0", Require="nothingSupportsThis, nothingSupportsThisEither"
    ),
    "3.3.15 regaut01": head("REGISTER sip:example.com SIP/2.0", Authorization="NoOneKnowsThisScheme opaque-data=here"),
}


@pytest.mark.parametrize("name", VALID)
def test_a_valid_odd_message_is_read_and_left_as_it_is(name: str) -> None:
    found = read(wire(VALID[name]))
    assert found.fault is None
    assert found.to_bytes() == wire(VALID[name])


MALFORMED = {
    "3.1.2.1 badinv01": head("INVITE sip:user@example.com SIP/2.0", Via="SIP/2.0/UDP 192.0.2.15;;,;,,"),
    "3.1.2.2 clerr": head("INVITE sip:user@example.com SIP/2.0", Content_Length="9999"),
    "3.1.2.3 ncl": head("INVITE sip:user@example.com SIP/2.0", Content_Length="-999"),
    "3.1.2.4 scalar02": head("REGISTER sip:example.com SIP/2.0", CSeq="36893488147419103232 REGISTER"),
    "3.1.2.6 quotbal": head("INVITE sip:user@example.com SIP/2.0", To='"Mr. J. User <sip:j.user@example.com>'),
    "3.1.2.7 ltgtruri": head("INVITE <sip:user@example.com> SIP/2.0"),
    "3.1.2.8 lwsruri": head("INVITE sip:user@example.com; lr SIP/2.0", CSeq="8 INVITE"),
    "3.1.2.9 lwsstart": head("INVITE  sip:user@example.com  SIP/2.0"),
    "3.1.2.10 trws": head("OPTIONS sip:remote-target@example.com SIP/2.0  "),
    "3.1.2.16 badvers": head("OPTIONS sip:t@example.org SIP/7.0"),
    "3.1.2.17 mismatch01": head("OPTIONS sip:user@example.com SIP/2.0", CSeq="8 INVITE"),
    "3.1.2.18 mismatch02": head("NEWMETHOD sip:user@example.com SIP/2.0", CSeq="8 INVITE"),
    "3.3.1 insuf": head("INVITE sip:user@example.com SIP/2.0", To="", From="", Call_ID=""),
    "3.3.9 multi01": head(
        "INVITE sip:user@example.com SIP/2.0", CSeq="5 INVITE\nCSeq: 59 BYE", Call_ID="a\nCall-ID: b"
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_is_refused(name: str) -> None:
    with contextlib.suppress(BadMessage):
        assert read(wire(MALFORMED[name])).fault is not None
    world = World()
    world.from_network(wire(MALFORMED[name]))
    assert not world.calls
    assert world.sent_in() == []
    assert world.count("bad_message") == 1
    assert all(data.startswith((b"SIP/2.0 400 ", b"SIP/2.0 505 ")) for data, _ in world.sent_out())


@pytest.mark.parametrize(
    "start", ["SIP/2.0 4294967301 better not break the receiver", "SIP/2.0 200", "SIP/2.0 100 уже"]
)
def test_answers_with_odd_reasons(start: str) -> None:
    # 3.1.2.19 bigcode is dropped; 3.1.1.12 unreason and 3.1.1.13 noreason are read
    text = wire(head("INVITE sip:a@b SIP/2.0").replace("INVITE sip:a@b SIP/2.0", start))
    if "4294967301" in start:
        with pytest.raises(BadMessage):
            read(text)
    else:
        assert read(text).status in (100, 200)


def test_a_call_by_rfc_2543_is_admitted() -> None:
    # 3.4.1 inv2543: no branch, no tag, no Max-Forwards
    world = World()
    world.from_network(wire(VALID["3.3.4 insuf-but-2543"]))
    assert message(world.to_line()).first(b"max-forwards") == b"70"
