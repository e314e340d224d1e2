"""Session descriptions: what reaches a line is made anew, what leaves shows the public address."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip.sdp import NoUsableAudio, find_in_multipart, rebuild, show_address


def sdp(*media: str, session: str = "c=IN IP4 198.51.100.7") -> bytes:
    return "\r\n".join(["v=0", "o=bob 123 45 IN IP4 pbx.example", "s=-", session, "t=0 0", *media, ""]).encode()


AUDIO = "m=audio 30000 RTP/AVP 8 0 18 101"


def test_only_what_a_g711_conversation_needs_is_left() -> None:
    text = sdp(
        AUDIO,
        "b=AS:64",
        "a=rtpmap:18 G729/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendonly",
        "a=ice-ufrag:x",
        "a=rtcp:9 IN IP4 evil",
        "a=setup:actpass",
    )
    assert rebuild(text).decode() == "\r\n".join(
        [
            "v=0",
            "o=- 123 45 IN IP4 198.51.100.7",
            "s=-",
            "c=IN IP4 198.51.100.7",
            "t=0 0",
            "m=audio 30000 RTP/AVP 8 0 101",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:20",
            "a=sendonly",
            "",
        ]
    )


def test_the_order_of_codecs_is_the_senders() -> None:
    assert b"RTP/AVP 0 8\r\n" in rebuild(sdp("m=audio 4 RTP/AVP 0 8"))


def test_address_and_direction_of_the_media_win_over_the_sessions() -> None:
    text = rebuild(sdp(AUDIO, "c=IN IP4 198.51.100.8", "a=recvonly", session="c=IN IP4 10.0.0.1\r\na=inactive"))
    assert b"c=IN IP4 198.51.100.8\r\n" in text
    assert text.endswith(b"a=recvonly\r\n")
    assert rebuild(sdp(AUDIO, session="c=IN IP4 10.0.0.1\r\na=inactive")).endswith(b"a=inactive\r\n")


def test_hold_by_a_zero_address_passes() -> None:
    assert b"c=IN IP4 0.0.0.0" in rebuild(sdp(AUDIO, session="c=IN IP4 0.0.0.0"))


def test_other_media_keep_their_place_with_port_0() -> None:
    text = rebuild(sdp("m=video 5 RTP/AVP 31 34", AUDIO, "m=audio 6 RTP/AVP 8", "m=image 7 udptl t38"))
    assert [line for line in text.decode().split("\r\n") if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 31",
        "m=audio 30000 RTP/AVP 8 0",
        "m=audio 0 RTP/AVP 8",
        "m=image 0 udptl t38",
    ]


def test_a_dynamic_number_for_g711_is_understood() -> None:
    assert b"m=audio 4 RTP/AVP 96\r\na=rtpmap:96 PCMA/8000" in rebuild(
        sdp("m=audio 4 RTP/AVP 96", "a=rtpmap:96 pcma/8000/1")
    )


@pytest.mark.parametrize(
    "media",
    [
        "m=audio 0 RTP/AVP 8",
        "m=audio 4 RTP/SAVP 8",
        "m=audio 4 RTP/AVP 18",
        "m=audio 4 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000",
        "m=audio 99999 RTP/AVP 8",
        "m=audio x RTP/AVP 8",
        "m=video 4 RTP/AVP 31",
        "m=audio 4 RTP/AVP 8\r\nc=IN IP6 ::1",
        "m=audio 4 RTP/AVP 8\r\nc=IN IP4 host.example",
        "m=audio 4 RTP/AVP 8\r\nc=IN IP4 224.2.1.1/127",
        "",
        "m=strange 1 x y",
        "\r\n".join(["m=audio 4 RTP/AVP 8"] * 9),
    ],
)
def test_no_usable_audio_is_said(media: str) -> None:
    with pytest.raises(NoUsableAudio):
        rebuild(sdp(media))


def test_an_answer_without_usable_audio_refuses_all_media() -> None:
    text = rebuild(sdp("m=audio 0 RTP/AVP 8"), is_answer=True)
    assert b"m=audio 0 RTP/AVP 8\r\n" in text


SAFE = re.compile(
    rb"(v=0|o=- \d+ \d+ IN IP4 [\d.]+|s=-|c=IN IP4 [\d.]+|t=0 0|m=[a-z]+ \d+ [A-Za-z/]+( [A-Za-z0-9-]+)+|"
    rb"a=(rtpmap:\d+ (PCMA|PCMU|telephone-event)/8000|fmtp:\d+ 0-16|ptime:\d+|(send|recv|sendrecv)(only)?|inactive))"
)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    b"m=audio 4 RTP/AVP 8 0",
                    b"a=rtpmap:96 PCMA/8000",
                    b"c=IN IP4 1.2.3.4",
                    b"a=sendonly",
                    b"a=ptime:20",
                    b"m=audio 4 RTP/AVP 96 \xff",
                    b"o=- 1 1 IN IP4 x",
                    b"m=text 1 a/b <>",
                ]
            ),
            st.binary(max_size=30),
        ),
        max_size=12,
    )
)
def test_nothing_of_the_senders_text_goes_through(lines: list[bytes]) -> None:
    try:
        text = rebuild(b"\r\n".join(lines))
    except NoUsableAudio:
        return
    assert all(SAFE.fullmatch(line) for line in text.split(b"\r\n")[:-1])
    assert rebuild(text) == text


def test_only_our_own_address_is_replaced_by_the_public_one() -> None:
    text = sdp(AUDIO, "c=IN IP4 10.0.0.5", session="c=IN IP4 10.0.0.55").replace(b"pbx.example", b"10.0.0.5")
    shown = show_address(text, "10.0.0.5", "203.0.113.5")
    assert b"o=bob 123 45 IN IP4 203.0.113.5\r\n" in shown
    assert b"c=IN IP4 10.0.0.55\r\n" in shown
    assert shown.count(b"203.0.113.5") == 2


def test_sdp_beside_isup_is_found() -> None:
    isup = b"--b1\r\nContent-Type: application/isup;version=x\r\n\r\n\x01\x02\r\n"
    body = isup + b"--b1\r\nContent-Type: application/sdp\r\n\r\n"
    found = find_in_multipart(b'multipart/mixed; boundary="b1"', body + sdp(AUDIO) + b"\r\n--b1--\r\n")
    assert found is not None
    assert b"m=audio 30000 RTP/AVP 8 0\r\n" in rebuild(found)
    assert find_in_multipart(b"multipart/mixed; boundary=zz", body) is None
    assert find_in_multipart(b"multipart/mixed", body) is None
