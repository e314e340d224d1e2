"""What a seat does on its page, in virtual time: the same as by its keys, and refused with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import config
from ivr.calls.cdr import TransferResult
from ivr.calls.digits import TargetKind
from ivr.speech.prompts import Prompt
from routing.site import Site, load_site
from tests.fakes.ledger import CALLER_NUMBER
from tests.fakes.line import CALLER_LEG, MORNING, Phones, Story
from tests.fakes.seat_story import ACCEPTS, ANSWERS, BUSY, SEAT, SPECIALIST, WHO, SeatStory

PHONES = {SEAT: ANSWERS, "8002": ANSWERS, SPECIALIST: ACCEPTS, "6102": BUSY, "6111": ACCEPTS, "6112": BUSY}
Tell = Callable[..., SeatStory]


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


@pytest.fixture
def tell(site: Site, tmp_path: Path) -> Iterator[Tell]:
    stories: list[Story] = []

    def begin(at: datetime = MORNING, phones: Phones | None = None, **manners: Any) -> SeatStory:
        stories.append(Story(site, tmp_path, at, PHONES | (phones or {}), **manners))
        return SeatStory(stories[-1])

    yield begin
    for story in stories:
        if not story.done.called:
            story.end_everything().finish()


def test_a_seat_sees_its_call_with_caller_matter_parties_and_what_it_may_do(tell: Tell) -> None:
    desk = tell().with_seat()
    owed = desk.story.ledger.owe(callback_number=CALLER_NUMBER)
    call = desk.do(desk.operations.call_view.seat_call(SEAT))
    assert (call["caller"], call["matter"]) == (CALLER_NUMBER, "企业登记")
    parties = [(party["role"], party["state"]) for party in call["parties"]]
    assert parties == [("caller", "talking"), ("seat", "talking")]
    assert call["may"] == {
        "transfer": "", "hold": "", "drop": "call.nobody_to_drop", "leave": "call.nobody_else",
    }  # fmt: skip
    assert call["open_orders"] == [owed]
    assert call["is_held"] is False


def test_a_seat_without_a_call_has_none_in_hand(tell: Tell) -> None:
    desk = tell().with_seat()
    assert desk.do(desk.operations.call_view.seat_call("8002")) is None


def test_a_seat_sees_its_call_while_redis_is_away_but_not_what_is_owed(tell: Tell) -> None:
    desk = tell().with_seat()
    desk.story.ledger.is_away = True
    call = desk.do(desk.operations.call_view.seat_call(SEAT))
    assert call["call_id"] == desk.call.call_id
    assert (call["open_orders"], call["last_calls"]) == (None, None)


def test_a_seat_sees_the_calls_before_of_the_one_who_rings(tell: Tell) -> None:
    first = tell().with_seat()
    first.story.end_everything().finish()
    second = tell(ledger=first.story.ledger).with_seat()
    call = second.do(second.operations.call_view.seat_call(SEAT))
    assert [before["call_id"] for before in call["last_calls"]] == [first.call.call_id]


def test_a_page_puts_a_matters_specialist_into_the_conversation_as_the_keys_do(tell: Tell) -> None:
    desk = tell().with_seat()
    desk.do(desk.operations.calls.transfer(desk.call.call_id, "tax", WHO, kind=TargetKind.MATTER, seat_number=SEAT))
    desk.story.run(4)
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SEAT), desk.leg("6111")}
    assert desk.call.record.transfer is TransferResult.ACCEPTED
    assert desk.call.record.matter_id == "tax"
    assert Prompt.SEAT_SPECIALIST_RINGING.value in desk.story.slot.played(desk.leg(SEAT))


def test_one_person_is_rung_by_his_number_and_his_colleagues_are_not(tell: Tell) -> None:
    desk = tell(phones={"6113": ACCEPTS}).with_seat()
    desk.do(desk.operations.calls.transfer(desk.call.call_id, "6113", WHO))
    desk.story.run(4)
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SEAT), desk.leg("6113")}
    assert set(desk.story.slot.rung.values()) == {SEAT, "6113"}
    assert desk.call.record.unit_id == "tax"
    assert desk.call.record.matter_id == "company_registration", "what the caller rings about has not changed"


def test_a_unit_is_rung_about_the_matter_of_the_caller(tell: Tell) -> None:
    desk = tell().with_seat()
    desk.do(desk.operations.calls.transfer(desk.call.call_id, "tax", WHO, kind="unit"))
    desk.story.run(4)
    assert "6111" in desk.story.slot.rung.values()
    assert (desk.call.record.matter_id, desk.call.record.unit_id) == ("company_registration", "tax")


@pytest.mark.parametrize(
    ("target", "kind", "key"),
    [
        ("legal_aid", "matter", "call.belongs_elsewhere"),
        ("nonsense", "matter", "call.unknown_target"),
        ("nonsense", "", "call.unknown_target"),
        ("tax", "nonsense", "call.unknown_target"),
        ("13800000000", "person", "call.unknown_target"),
    ],
)
def test_a_target_that_cannot_be_rung_is_refused_at_once(tell: Tell, target: str, kind: str, key: str) -> None:
    desk = tell().with_seat()
    assert desk.refusal(desk.operations.calls.transfer(desk.call.call_id, target, WHO, kind=kind)) == key


def test_whoever_the_search_finds_can_be_brought_in(tell: Tell) -> None:
    desk = tell(phones={"6113": ACCEPTS}).with_seat()
    found = next(found for found in desk.operations.calls.search("ns") if found.name == "纳税服务科")
    desk.do(desk.operations.calls.transfer(desk.call.call_id, found.key, WHO, kind=found.kind.value))
    desk.story.run(4)
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SEAT), desk.leg("6113")}


def test_somebody_who_is_in_another_call_is_not_rung(tell: Tell) -> None:
    desk = tell().with_seat()
    desk.call.presence.take("6111", "another call")
    assert desk.refusal(desk.operations.calls.transfer(desk.call.call_id, "6111", WHO)) == "call.person_busy"


def test_a_second_specialist_is_refused_while_one_is_there(tell: Tell) -> None:
    desk = tell().with_specialist()
    assert desk.refusal(desk.operations.calls.transfer(desk.call.call_id, "6111", WHO)) == "call.specialist_there"


def test_the_call_of_another_seat_is_not_ones_own(tell: Tell) -> None:
    desk = tell().with_specialist()
    calls = desk.operations.calls
    for ask in (calls.hold, calls.drop, calls.leave):
        assert desk.refusal(ask(desk.call.call_id, WHO, seat_number="8002")) == "call.not_yours"
    assert desk.refusal(desk.operations.calls.hold("no-such-call", WHO)) == "call.gone"


def test_the_page_holds_the_caller_and_the_keys_take_him_back(tell: Tell) -> None:
    desk = tell().with_specialist()
    desk.do(desk.operations.calls.hold(desk.call.call_id, WHO, seat_number=SEAT))
    desk.story.run(0.1)
    assert desk.story.slot.joined_now() == {desk.leg(SEAT), desk.leg(SPECIALIST)}
    call = desk.do(desk.operations.call_view.seat_call(SEAT))
    assert call["is_held"]
    assert {party["role"]: party["state"] for party in call["parties"]}["caller"] == "held"
    for digit in "*5":
        desk.story.slot.press(desk.leg(SEAT), digit)
    desk.story.run(0.1)
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SEAT), desk.leg(SPECIALIST)}


def test_a_page_that_asks_twice_to_hold_does_not_take_the_caller_back(tell: Tell) -> None:
    desk = tell().with_specialist()
    for _ in range(2):
        desk.do(desk.operations.calls.hold(desk.call.call_id, WHO, seat_number=SEAT, is_held=True))
        desk.story.run(0.1)
        assert desk.call.seat_talk is not None
        assert desk.call.seat_talk.is_held


def test_a_running_call_is_to_be_seen_and_one_that_is_over_is_not(tell: Tell) -> None:
    desk = tell().with_specialist()
    shown = desk.operations.call_view.live_call(desk.call.call_id)
    assert shown is not None
    assert [party["role"] for party in shown["parties"]] == ["caller", "seat", "specialist"]
    desk.story.end_everything().finish()
    assert desk.operations.call_view.live_call(desk.call.call_id) is None


def test_the_page_drops_the_specialist_and_may_then_not_leave(tell: Tell) -> None:
    desk = tell().with_specialist()
    desk.do(desk.operations.calls.drop(desk.call.call_id, WHO))
    desk.story.run(0.5)
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SEAT)}
    assert desk.refusal(desk.operations.calls.leave(desk.call.call_id, WHO)) == "call.nobody_else"


def test_the_page_leaves_the_two_talking_and_can_then_do_nothing_more(tell: Tell) -> None:
    desk = tell().with_specialist()
    desk.do(desk.operations.calls.leave(desk.call.call_id, WHO))
    desk.story.run(0.5)
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SPECIALIST)}
    assert desk.refusal(desk.operations.calls.hold(desk.call.call_id, WHO)) == "call.no_seat"


def test_nothing_can_be_asked_of_a_call_that_is_not_with_a_seat_yet(tell: Tell) -> None:
    desk = tell()
    desk.story.until_heard(Prompt.MENU)
    assert desk.refusal(desk.operations.calls.transfer(desk.call.call_id, "tax", WHO)) == "call.no_seat"
