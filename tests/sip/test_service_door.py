"""The door of the running service under abuse: who talks is not disturbed, and a full house opens again."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from demo.phone import Phone
from tests.sip.house import SPECIALIST_TONE, House, until
from tests.sip.test_door_filters import Wire, tag_of

pytestmark = pytest.mark.sip


@pytest.fixture(scope="module")
def house(open_house: Callable[..., House]) -> House:
    """A service with three lines that lets in 127.0.0.1 and no other loopback address."""
    allowed = [{"name": "switchboard", "allow": ["127.0.0.1/32"]}]
    house = open_house(lines={"count": 3, "spare": 3}, sip={"retry_after_s": 7, "trunks": allowed})
    house.close_numbers("6102", "6103")
    return house


@pytest.fixture
def pair(house: House) -> tuple[Phone, Phone]:
    """A caller and a specialist who talk."""
    specialist = house.desk_phone("6101", SPECIALIST_TONE).auto_answer(0.2, then_press="1", press_after_s=0.3)
    caller = house.caller()
    house.ring_up(caller, "4")
    specialist.wait_answered(20)
    time.sleep(1.5)
    return caller, specialist


def test_abuse_of_the_door_is_counted_and_disturbs_nobody_who_talks(house: House, pair: tuple[Phone, Phone]) -> None:
    port, before = house.service.sip_port, house.counters()
    abused = Wire(port)
    for _ in range(20):
        for method in ("SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER"):
            abused.send(abused.request(method))
        abused.send(abused.request("OPTIONS", extra="X: " + "x" * 17000))
        abused.send(abused.request("OPTIONS") + abused.request("INVITE", cseq=2, body=abused.offer()))
        abused.send(abused.request("BYE", to_tag="guessed", cseq=3))
        abused.send(b"\0\xff INVITE what is this\r\n\r\n")
    for _ in range(3):  # the two packets that abort pjsua2 2.15, and again after its answer
        abort = Wire(port)
        abort.send(abort.request("INVITE", body=abort.offer()))
        abort.send(abort.request("ACK"))
        answer = abort.hear("SIP/2.0 (200|503) ")
        abort.send(abort.request("ACK"))
        if answer.startswith("SIP/2.0 200 "):
            abort.send(abort.request("ACK", to_tag=tag_of(answer)))
            abort.send(abort.request("BYE", to_tag=tag_of(answer), cseq=2))
            abort.hear("SIP/2.0 200 OK")
        abort.close()
    caller, specialist = pair
    matrix = house.exchange.audio_matrix(caller, specialist, seconds=1.0)
    assert matrix.all_hear_each_other(), matrix
    counted = {kind: count - before[kind] for kind, count in house.counters().items()}
    assert (counted["method_refused"], counted["oversize"], counted["two_in_one"]) == (80, 20, 20)
    assert counted["ack_without_tag"] == 6
    assert counted["no_dialog"] >= 20
    assert counted["bad_message"] >= 20
    assert counted["failed"] == 0
    assert house.lines()["died"] == 0
    abused.close()
    caller.hangup()
    house.service.wait_idle(30)
    assert house.record(caller)["transfer"] == "accepted"


def test_an_allowed_source_may_ask_whether_we_are_there(house: House) -> None:
    wire = Wire(house.service.sip_port)
    wire.send(wire.request("OPTIONS"))
    assert "\r\nAllow: INVITE, ACK, BYE, " in wire.hear("SIP/2.0 200 OK")
    wire.close()


def test_a_foreign_source_hears_nothing_while_an_allowed_one_is_answered(house: House) -> None:
    before = house.counters()["foreign_source"]
    stranger, friend = Wire(house.service.sip_port, "127.0.0.2"), Wire(house.service.sip_port)
    for method in ("OPTIONS", "INVITE", "REGISTER"):
        stranger.send(stranger.request(method, body=stranger.offer()))
    assert stranger.hears_nothing()
    friend.send(friend.request("OPTIONS"))
    friend.hear("SIP/2.0 200 OK")
    assert house.counters()["foreign_source"] == before + 3
    assert house.service.ask("status")["calls"] == []
    stranger.close()
    friend.close()


def test_a_full_house_says_503_and_serves_again_when_one_has_left(house: House) -> None:
    inside = [house.caller() for _ in range(3)]
    refused_before = house.counters()["rejected_full"]
    for caller in inside:
        house.ring_up(caller)
    wire = Wire(house.service.sip_port)
    wire.send(wire.request("INVITE", body=wire.offer()))
    assert "\r\nRetry-After: 7\r\n" in wire.hear("SIP/2.0 503 ")
    assert house.counters()["rejected_full"] == refused_before + 1
    wire.close()

    inside[0].hangup()
    until("a free line", lambda: house.lines()["in_use"] == 2)
    late = house.caller()
    house.ring_up(late)
    for caller in (*inside[1:], late):
        caller.hangup()
    house.service.wait_idle(30)
    assert [house.record(caller)["outcome"] for caller in (*inside, late)] == ["abandoned"] * 4
