"""RFC 4475, the torture tests of SIP: what the door answers to each of the 49 messages, over UDP and over TCP.

The messages are ours; each has the fault or oddity of its namesake. We are an end that takes INVITE and OPTIONS and
registers nobody, so a REGISTER or MESSAGE is 405 whatever else it tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.fakes.door import TRUNK, World, message

SERVED, NOTHING, CLOSED = "served", "nothing", "closed"

_SDP = (
    "v=0\r\no=m 29 72 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\nm=audio 49217 RTP/AVP 0 12\r\n"
    "m=video 3227 RTP/AVP 31\r\na=rtpmap:31 LPC\r\n"
)


@dataclass(frozen=True)
class Torture:
    """One message and the answer it earns: a status, or SERVED when it reaches a line, or NOTHING."""

    data: bytes
    udp: int | str
    tcp: int | str
    why: str = ""  # where ours differs from the advice of the RFC

    def over(self, transport: str) -> bytes:
        """Return it as it comes over a transport."""
        return self.data.replace(b"/UDP", b"/TCP") if transport == "tcp" else self.data


def text(start: str, *, body: str = "", **changes: str) -> bytes:
    """Return a request with some headers changed, or taken away when empty."""
    content = body.encode()
    headers = {
        "To": "<sip:user@example.com>",
        "From": "<sip:caller@example.net>;tag=1341",
        "Max-Forwards": "7",
        "Call-ID": "torture@example",
        "CSeq": f"8 {start.split(maxsplit=1)[0]}",
        "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKkdj",
        "Contact": "<sip:caller@host5.example.net>",
        **({"Content-Type": "application/sdp"} if body else {}),
        "Content-Length": str(len(content)),
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [start, *(f"{name}: {value}" for name, value in headers.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode() + content


def invite(uri: str = "sip:user@example.com", **changes: str) -> bytes:
    return text(f"INVITE {uri} SIP/2.0", body=changes.pop("body", _SDP), **changes)


def options(uri: str = "sip:user@example.com", **changes: str) -> bytes:
    return text(f"OPTIONS {uri} SIP/2.0", **changes)


def register(**changes: str) -> bytes:
    return text("REGISTER sip:example.com SIP/2.0", **changes)


def an_answer(status: str, **changes: str) -> bytes:
    return text("INVITE sip:a@b SIP/2.0", **changes).replace(b"INVITE sip:a@b SIP/2.0", f"SIP/2.0 {status}".encode())


TABLE: dict[str, Torture] = {
    # 3.1.1 valid messages
    "wsinv": Torture(
        invite(
            "sip:vivekg@chair.example.com;unknownparam", To="\r\n sip:v@example.com ;   tag    = 19181n",
            From='"J Rosenberg \\\\\\""       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8', Max_Forwards="0068",
            CSeq="0009\r\n  INVITE", Via="SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw",
        ),
        481, 481, "its To has a tag, and there is no such dialog",
    ),
    "intmeth": Torture(
        text("!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@e.com "
             "SIP/2.0", Call_ID="intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{", Max_Forwards="255"),
        405, 405,
    ),
    "esc01": Torture(invite("sip:sips%3Auser%40example.com@example.net", To="sip:%75se%72@e.com"), SERVED, SERVED),
    "escnull": Torture(register(To="sip:null-%00-null@example.com"), 405, 405),
    "esc02": Torture(text("RE%47IST%45R sip:registrar.example.com SIP/2.0"), 405, 405),
    "lwsdisp": Torture(options(From="caller<sip:caller@example.com>;tag=323"), 200, 200),
    "longreq": Torture(
        invite(
            To='"I have a user name of ' + "extreme" * 40 + ' proportion"<sip:user@example.com:6000;u1=v1;'
            + "long" * 20 + '=x>', Call_ID="longreq.one" + "really" * 20 + "longcallid",
            Via="SIP/2.0/TCP sip33.example.com\r\n" + "v: SIP/2.0/TCP sip32.example.com\r\n" * 33 + "v: SIP/2.0/UDP e",
        ),
        SERVED, SERVED,
    ),
    "dblreq": Torture(register() + invite(Call_ID="second", Via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKs"), 405, 405),
    "semiuri": Torture(options("sip:user;par=u%40example.net@example.com"), 200, 200),
    "transports": Torture(
        options(Via="SIP/2.0/UDP t1.example.com;branch=z9hG4bKk\r\nVia: SIP/2.0/UNKNOWN t5;branch=z9hG4bK5"), 200, 200
    ),
    "mpart01": Torture(
        text("MESSAGE sip:kumiko@example.org SIP/2.0", body="--7a9\r\n\r\n--7a9--\r\n",
             Content_Type="multipart/mixed;boundary=7a9"),
        405, 405,
    ),
    "unreason": Torture(an_answer("200 = 2**3 * 5**2 но сто девяносто девять - простое"), NOTHING, NOTHING),
    "noreason": Torture(an_answer("100 "), NOTHING, NOTHING),
    # 3.1.2 invalid messages
    "badinv01": Torture(invite(Via="SIP/2.0/UDP 192.0.2.15;;,;,,", Contact='"Joe" <sip:joe@e.org>;;;;'), 400, 400),
    "clerr": Torture(
        invite(Content_Length="9999"), 400, CLOSED,
        "a stream waits for the rest, and is closed when it does not come: where the next message begins nobody knows",
    ),
    "ncl": Torture(invite(Content_Length="-999"), 400, 400),
    "scalar02": Torture(register(CSeq="36893488147419103232 REGISTER", Max_Forwards="300", Expires="1" * 20), 400, 400),
    "scalarlg": Torture(an_answer("503 Service Unavailable", CSeq="9292394834772304023312 OPTIONS"), NOTHING, NOTHING),
    "quotbal": Torture(invite(To='"Mr. J. User <sip:j.user@example.com>'), 400, 400),
    "ltgtruri": Torture(invite("<sip:user@example.com>"), 400, 400),
    "lwsruri": Torture(text("INVITE sip:user@example.com; lr SIP/2.0", CSeq="8 INVITE"), 400, 400),
    "lwsstart": Torture(text("INVITE  sip:user@example.com  SIP/2.0"), 400, 400),
    "trws": Torture(text("OPTIONS sip:remote-target@example.com SIP/2.0  "), 400, 400),
    "escruri": Torture(invite("sip:user@example.com?Route=%3Csip:example.com%3E"), 400, 400),
    "baddate": Torture(
        invite(Date="Fri, 01 Jan 2010 16:00:00 EST"), SERVED, SERVED,
        "nobody reads the date, so nobody is lost for it; the RFC allows both",
    ),
    "regbadct": Torture(register(Contact="sip:user@example.com?Route=%3Csip:sip.example.com%3E"), 405, 405),
    "badaspec": Torture(
        options(To='"Watson, Thomas" < sip:t.watson@example.org >'), 200, 200,
        "the blanks are read over; the RFC allows both",
    ),
    "baddn": Torture(options(From="Bell, Alexander <sip:a.g.bell@example.com>;tag=43"), 400, 400),
    "badvers": Torture(text("OPTIONS sip:t.watson@example.org SIP/7.0"), 505, 505),
    "mismatch01": Torture(options(CSeq="8 INVITE"), 400, 400),
    "mismatch02": Torture(text("NEWMETHOD sip:user@example.com SIP/2.0", CSeq="8 INVITE"), 400, 400),
    "bigcode": Torture(an_answer("4294967301 better not break the receiver"), NOTHING, NOTHING),
    # 3.2 transactions, 3.3 applications, 3.4 backward compatibility
    "badbranch": Torture(options(Via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"), 200, 200),
    "insuf": Torture(invite(To="", From="", Call_ID=""), 400, 400),
    "unkscm": Torture(options("nobodyKnowsThisScheme:totallyopaquecontent"), 416, 416),
    "novelsc": Torture(options("soap.beep://192.0.2.103:3002"), 416, 416),
    "unksm2": Torture(register(To="isbn:2983792873"), 405, 405),
    "bext01": Torture(options(Require="nothingSupportsThis, nothingSupportsThisEither"), 420, 420),
    "invut": Torture(invite(body="<audio>\r\n</audio>", Content_Type="application/unknownformat"), 415, 415),
    "regaut01": Torture(register(Authorization="NoOneKnowsThisScheme opaque-data=here"), 405, 405),
    "multi01": Torture(
        invite(CSeq="5 INVITE\r\nCSeq: 59 BYE", Call_ID="a\r\nCall-ID: b", Max_Forwards="70\r\nMax-Forwards: 5"),
        400, 400,
    ),
    "mcl01": Torture(options(Content_Length="13\r\nContent-Length: 5"), 400, 400),
    "bcast": Torture(
        an_answer("200 OK", Via="SIP/2.0/UDP 192.0.2.198;branch=z9\r\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9h"),
        NOTHING, NOTHING,
    ),
    "zeromf": Torture(options(Max_Forwards="0"), 200, 200),
    "cparam01": Torture(register(Contact="sip:+19725552222@gw1.example.net;unknownparam"), 405, 405),
    "cparam02": Torture(register(Contact="<sip:+19725552222@gw1.example.net;unknownparam>"), 405, 405),
    "regescrt": Torture(register(Contact="<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"), 405, 405),
    "sdp01": Torture(invite(Accept="text/nobodyKnowsThis"), 406, 406),
    "inv2543": Torture(
        invite(From="sip:UserA@example.net", Max_Forwards="", Via="SIP/2.0/UDP iftgw.example.com"), SERVED, SERVED
    ),
}  # fmt: skip


def test_all_49_are_there() -> None:
    assert len(TABLE) == 49


@pytest.mark.parametrize("name", TABLE)
def test_what_is_answered_over_udp(name: str) -> None:
    world = World()
    world.from_network(TABLE[name].over("udp"))
    sent = [int(data[8:11]) for data, _ in world.sent_out()]
    assert came_of(world, sent) == TABLE[name].udp
    assert world.count("failed") == 0


@pytest.mark.parametrize("name", TABLE)
def test_what_is_answered_over_tcp(name: str) -> None:
    world = World()
    pair = world.connect(TRUNK)
    assert pair is not None
    stream, transport = pair
    stream.dataReceived(TABLE[name].over("tcp"))
    world.reactor.advance(1.0)
    answers = [part for part in transport.value().split(b"\r\n\r\n") if part.startswith(b"SIP/2.0")]
    if name == "dblreq":  # a stream has room for both
        assert len(world.calls) == 1
        assert [answer[8:11] for answer in answers] == [b"405"]
        return
    world.reactor.advance(10.0)
    sent = [int(answer[8:11]) for answer in answers]
    assert (came_of(world, sent) if sent or world.calls or not transport.disconnected else CLOSED) == TABLE[name].tcp
    assert world.count("failed") == 0


def came_of(world: World, sent: list[int]) -> int | str:
    """Return what became of the one message a world has heard."""
    if world.calls:
        assert [message(data).method for data, _ in world.sent_in()] == ["INVITE"]
        return SERVED
    assert len(sent) <= 1
    return sent[0] if sent else NOTHING


def test_a_plain_message_is_served() -> None:
    world = World()
    world.from_network(invite())
    assert came_of(world, []) == SERVED
