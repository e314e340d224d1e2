"""One seat does not eat the whole wait: the next one rings beside it, and nobody is blamed unfairly."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

from ivr.calls.seat_states import SeatState, SeatStatus
from ivr.speech.prompts import Prompt
from tests.fakes.line import CALLER_LEG, MORNING, Behaviour, Phones, Story
from tests.unit.ivr.flows.conftest import Tell

SILENT, ANSWERS, BUSY = Behaviour(answers_after_s=None), Behaviour(answers_after_s=1.0), Behaviour(refuses_with=486)
SEATS = ("8001", "8002", "8003")


def connecting(tell: Tell, phones: Phones, **manners: Any) -> Story:
    """Bring a caller to where seats are rung; nobody is a specialist."""
    absent = dict.fromkeys(("6101", "6102", "6103"), BUSY)
    story: Story = tell(phones={**absent, **phones}, **manners)
    return story.until_heard(Prompt.MENU).caller_presses("1").until_heard(Prompt.CONNECTING_SEAT)


def rung(story: Story) -> list[str]:
    return [number for number in story.slot.rung.values() if number in SEATS]


def until_rung(story: Story, count: int) -> float:
    """Let time pass until so many seats have been rung; return how long that took."""
    began = story.time.seconds()
    while len(rung(story)) < count:
        story.run(0.1)
        assert story.time.seconds() - began < 20
    return float(story.time.seconds() - began)


def test_a_seat_that_is_not_at_the_desk_has_the_next_one_ring_after_five_seconds(tell: Tell) -> None:
    story = connecting(tell, {"8001": SILENT, "8002": ANSWERS, "8003": ANSWERS})
    until_rung(story, 1)
    assert until_rung(story, 2) == pytest.approx(5.0, abs=0.3)
    story.run(4)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("8002")}
    assert rung(story) == ["8001", "8002"]
    assert not set(story.slot.legs_of("8001")) & story.slot.live, "the one that did not answer stops ringing"


def test_the_first_seat_may_still_answer_while_the_second_rings(tell: Tell) -> None:
    story = connecting(tell, {"8001": Behaviour(answers_after_s=7.0), "8002": SILENT, "8003": SILENT})
    story.run(14)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("8001")}
    assert not set(story.slot.legs_of("8002")) & story.slot.live


def test_two_that_answer_in_one_moment_do_not_both_talk(tell: Tell) -> None:
    phones = {"8001": Behaviour(answers_after_s=6.0), "8002": Behaviour(answers_after_s=1.0), "8003": SILENT}
    story = connecting(tell, phones).run(14)
    seats = [leg for seat in SEATS for leg in story.slot.legs_of(seat) if leg in story.slot.live]
    assert len(seats) == 1
    assert story.slot.joined_now() == {CALLER_LEG, *seats}


def test_a_phone_that_refuses_has_the_next_one_rung_at_once_and_is_not_rung_again(tell: Tell) -> None:
    story = connecting(tell, {"8001": BUSY, "8002": BUSY, "8003": ANSWERS})
    assert until_rung(story, 3) < 3.5
    story.run(4)
    assert rung(story) == ["8001", "8002", "8003"]
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("8003")}


def test_a_ringing_seat_that_goes_away_stops_ringing_and_the_next_one_rings_at_once(tell: Tell) -> None:
    story = connecting(tell, {"8001": SILENT, "8002": ANSWERS, "8003": ANSWERS})
    until_rung(story, 1)
    story.run(1)
    ensureDeferred(story.presence.seats.change("8001", SeatStatus(SeatState.AWAY, "", "", "seat", MORNING)))
    story.presence.wake()
    story.run(0.2)
    assert rung(story) == ["8001", "8002"]
    assert not set(story.slot.legs_of("8001")) & story.slot.live


def test_when_nobody_answers_it_takes_the_whole_wait_and_no_longer(tell: Tell) -> None:
    story = connecting(tell, dict.fromkeys(SEATS, SILENT))
    began = story.time.seconds()
    story.until_heard(Prompt.CONNECTING_SPECIALIST)
    assert story.time.seconds() - began == pytest.approx(17.0, abs=1.5)  # two for the sentence before
    assert rung(story) == list(SEATS)


def test_a_seat_that_is_freed_meanwhile_is_rung(tell: Tell) -> None:
    story = connecting(tell, {"8001": SILENT, "8002": ANSWERS, "8003": SILENT})
    holder = object()
    for seat in ("8002", "8003"):
        story.presence.take(seat, holder)
    until_rung(story, 1)
    story.run(7)
    assert rung(story) == ["8001"]
    story.presence.free("8002", holder)
    story.run(0.2)
    assert rung(story) == ["8001", "8002"]


class Misses:
    """How often a seat was told to be away, with one miss enough."""

    def __init__(self, story: Story) -> None:
        self.away: list[str] = []
        story.presence.seats.on_missed = lambda number, status: self.away.append(number)


@pytest.mark.parametrize("beaten_after_s", [5.5, 9.0, 14.0])
def test_who_is_beaten_by_a_colleague_is_not_blamed(tell: Tell, beaten_after_s: float) -> None:
    answers = Behaviour(answers_after_s=beaten_after_s - 5.0)
    story = connecting(tell, {"8001": SILENT, "8002": answers, "8003": SILENT}, seat_misses_most=1)
    misses = Misses(story)
    story.run(18)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("8002")}
    assert misses.away == []


def test_who_lets_it_ring_long_enough_is_and_who_had_no_time_is_not(tell: Tell) -> None:
    story = connecting(tell, dict.fromkeys(SEATS, SILENT), seat_misses_most=1)
    misses = Misses(story)
    story.until_heard(Prompt.CONNECTING_SPECIALIST)
    assert misses.away == ["8001", "8002"]  # fifteen seconds, ten; the third one had five


def test_a_caller_who_leaves_has_all_seats_stop_at_once(tell: Tell) -> None:
    story = connecting(tell, dict.fromkeys(SEATS, SILENT)).run(9).caller_hangs_up()
    assert not story.slot.live


def test_a_seat_that_hangs_up_while_it_is_told_who_rings_gives_way_to_the_others(tell: Tell) -> None:
    hangs_up = Behaviour(answers_after_s=1.0, hangs_up_after_s=0.02)
    story = connecting(tell, {"8001": hangs_up, "8002": ANSWERS, "8003": ANSWERS}).run(14)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("8002")}
    assert rung(story) == ["8001", "8002"]


def test_the_pause_between_two_seats_is_a_setting(tell: Tell) -> None:
    story = connecting(tell, dict.fromkeys(SEATS, SILENT), next_seat_after_s=2.0)
    until_rung(story, 1)
    assert until_rung(story, 2) == pytest.approx(2.0, abs=0.3)
