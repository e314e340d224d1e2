"""Phones that lose power in a talk, phones that hold, trunks that fail: nobody is left in silence, or blamed for it."""

from __future__ import annotations

import pytest

from ivr.calls.cdr import CallOutcome, PartyRole
from ivr.calls.liveness import NO_SOUND
from ivr.line.messages import LegOnHold
from ivr.speech.prompts import Prompt
from tests.fakes.line import CALLER_LEG, Behaviour, Story
from tests.unit.ivr.flows.conftest import Tell

ANSWERS, SILENT = Behaviour(answers_after_s=1.0), Behaviour(answers_after_s=None)
ACCEPTS = Behaviour(answers_after_s=1.0, presses="1", presses_after_s=0.5)


def with_seat(tell: Tell, **phones: Behaviour) -> Story:
    """Bring a caller to a talk with seat 8001."""
    known = {"8001": ANSWERS, "8002": ANSWERS, "8003": ANSWERS} | {name[1:]: how for name, how in phones.items()}
    story: Story = tell(phones=known)
    story.until_heard(Prompt.MENU).caller_presses("1").until_heard(Prompt.CONNECTING_SEAT)
    return story.run(8)


def leg(story: Story, number: str) -> int:
    return story.slot.legs_of(number)[-1]


def test_a_seat_whose_phone_dies_is_followed_by_another_within_seconds_however_long_they_talked(tell: Tell) -> None:
    story = with_seat(tell).run(30)
    assert story.slot.joined_now() == {CALLER_LEG, leg(story, "8001")}
    story.slot.dark.add(leg(story, "8001"))
    story.run(25)
    assert story.slot.joined_now() == {CALLER_LEG, leg(story, "8002")}
    dead = next(one for one in story.record.legs if one.number == "8001")
    assert dead.cause == NO_SOUND
    assert len(story.slot.legs_of("8001")) == 1, "a dead phone was rung again"
    assert dead.two_way_s < 45


def test_a_specialist_whose_phone_dies_is_searched_for_again_by_the_seats_wish(tell: Tell) -> None:
    story = with_seat(tell, _6101=ACCEPTS, _6102=ACCEPTS, _6103=ACCEPTS)
    for key in "*#":
        story.slot.press(leg(story, "8001"), key)
    story.run(10)
    first = next(number for number in ("6101", "6102", "6103") if story.slot.legs_of(number))
    specialist = next(one for one in story.record.legs if one.accepted_at and one.role is PartyRole.SPECIALIST)
    story.slot.dark.add(specialist.leg_id)
    story.run(25)
    again = [one for one in story.record.legs if one.role is PartyRole.SPECIALIST and one.leg_id != specialist.leg_id]
    assert first
    assert any(one.accepted_at for one in again)
    assert specialist.number not in {one.number for one in again if one.started_at and one.leg_id > specialist.leg_id}


def test_a_caller_whose_phone_dies_in_the_queue_gets_an_order_and_gives_the_line_back(tell: Tell) -> None:
    story = tell(phones={"8001": SILENT, "8002": SILENT, "8003": SILENT}, seat_wait_s=60.0)
    story.until_heard(Prompt.MENU).caller_presses("1").until_heard(Prompt.CONNECTING_SEAT)
    story.slot.dark.add(CALLER_LEG)
    story.run(20)
    assert story.slot.is_released
    assert story.record.outcome is CallOutcome.INTERRUPTED
    assert story.record.order_ids


def test_a_caller_whose_seat_holds_by_its_own_key_hears_music_and_no_talk_is_counted(tell: Tell) -> None:
    story = with_seat(tell).run(5)
    before_s = story.call.talked_s
    assert before_s > 3
    seat = leg(story, "8001")
    story.slot.tell(LegOnHold(seat, True))
    story.run(20)
    assert story.slot.hears(CALLER_LEG) == Prompt.MUSIC.value
    assert story.call.talked_s == pytest.approx(before_s, abs=1.1)
    story.call.whisper(story.call.caller, Prompt.JOINED)
    assert story.slot.hears(CALLER_LEG) == Prompt.JOINED.value
    story.run(10)
    assert story.slot.hears(CALLER_LEG) == Prompt.MUSIC.value  # the word was one, and the music goes on
    story.slot.tell(LegOnHold(seat, False))
    story.run(5)
    assert story.slot.hears(CALLER_LEG) == ""
    assert story.call.talked_s == pytest.approx(before_s + 5, abs=1.5)


@pytest.mark.parametrize("status", [500, 503, 504, 403, 404])
def test_a_trunk_that_fails_blames_no_seat(tell: Tell, status: int) -> None:
    missed: list[str] = []
    story = tell(phones=dict.fromkeys(("8001", "8002", "8003"), Behaviour(refuses_with=status)), seat_misses_most=1)
    story.presence.seats.on_missed = lambda number, _status: missed.append(number)
    story.until_heard(Prompt.MENU).caller_presses("1").run(30)
    assert {"8001", "8002", "8003"} <= set(story.slot.rung.values())
    assert missed == []


@pytest.mark.parametrize("status", [480, 486, 600, 603])
def test_a_seat_that_refuses_is_counted(tell: Tell, status: int) -> None:
    missed: list[str] = []
    story = tell(phones=dict.fromkeys(("8001", "8002", "8003"), Behaviour(refuses_with=status)), seat_misses_most=1)
    story.presence.seats.on_missed = lambda number, _status: missed.append(number)
    story.until_heard(Prompt.MENU).caller_presses("1").run(30)
    assert set(missed) == {"8001", "8002", "8003"}
