"""Seats that are ready, away or write up a call: who is offered calls, why not, and what a restart remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

import config
from ivr.calls.presence import Presence
from ivr.calls.seat_states import NotOffered
from ivr.speech.prompts import Prompt
from routing.site import Site, load_site
from tests.fakes.event_log import written
from tests.fakes.line import MORNING, Behaviour, Phones, Story
from tests.fakes.seat_story import ACCEPTS, ANSWERS, BUSY, SEAT, SPECIALIST, WHO, SeatStory, StoryOperations

SILENT = Behaviour(answers_after_s=None)
Tell = Callable[..., SeatStory]


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


@pytest.fixture
def tell(site: Site, tmp_path: Path) -> Iterator[Tell]:
    stories: list[Story] = []

    def begin(phones: Phones | None = None, **more: Any) -> SeatStory:
        usual = {SEAT: ANSWERS, "8002": ANSWERS, SPECIALIST: ACCEPTS, "6102": BUSY}
        stories.append(Story(site, tmp_path, MORNING, usual | (phones or {}), **more))
        return SeatStory(stories[-1])

    yield begin
    for story in stories:
        if not story.done.called:
            story.end_everything().finish()


def rung(desk: SeatStory) -> list[str]:
    return list(desk.story.slot.rung.values())


def test_a_seat_that_is_away_is_not_rung_and_the_next_one_is(tell: Tell) -> None:
    desk = tell()
    desk.do(desk.operations.seats.set_seat_state(SEAT, "away", "午餐", WHO))
    desk.with_seat()
    assert rung(desk) == ["8002"]
    seat = desk.seat()
    assert (seat["state"], seat["reason"], seat["why"]) == ("away", NotOffered.AWAY.value, "午餐")


def test_when_all_seats_are_away_the_caller_does_not_wait_for_them(tell: Tell) -> None:
    desk = tell()
    for seat in desk.operations.seats.statuses():
        desk.do(desk.operations.seats.set_seat_state(seat["number"], "away", "", WHO))
    desk.story.until_heard(Prompt.MENU).caller_presses("1")
    desk.story.until_heard(Prompt.CONNECTING_SPECIALIST, timeout_s=6.0)
    assert SEAT not in rung(desk)


def test_a_caller_who_waits_gets_the_seat_that_becomes_ready(tell: Tell) -> None:
    desk = tell()
    desk.call.presence.take("8003", "another call")
    desk.do(desk.operations.seats.set_seat_state(SEAT, "away", "", WHO))
    desk.do(desk.operations.seats.set_seat_state("8002", "away", "", WHO))
    desk.with_seat()
    assert rung(desk) == []
    desk.do(desk.operations.seats.set_seat_state(SEAT, "ready", "", WHO))
    desk.story.run(1)
    assert rung(desk) == [SEAT]


def test_the_wall_shows_who_rings_and_talks_and_in_which_call(tell: Tell) -> None:
    desk = tell().with_seat()
    seat, other = desk.seat(), desk.seat("8002")
    assert (seat["state"], seat["reason"], seat["call_id"]) == ("talking", NotOffered.IN_CALL.value, desk.call.call_id)
    assert (other["state"], other["reason"], other["call_id"]) == ("ready", "", "")
    states = [fields["state"] for kind, fields in desk.told if kind == "seat"]
    assert states == ["ringing", "talking"]


def test_a_seat_in_wrap_up_is_offered_no_call_until_its_text_is_stored(tell: Tell) -> None:
    desk = tell().with_seat()
    desk.do(desk.operations.seats.set_seat_state(SEAT, "wrap_up", "", WHO))
    assert desk.seat()["next_state"] == "wrap_up"
    desk.story.end_everything().finish()
    assert (desk.seat()["state"], desk.seat()["reason"]) == ("wrap_up", NotOffered.WRAP_UP.value)
    desk.do(desk.operations.seats.wrap_up(SEAT, " 已解释办理流程 ", WHO))
    assert desk.seat()["state"] == "ready"
    ready = written("seat_state_set", number=SEAT, state="ready")
    assert desk.story.log.first(written("wrap_up_noted", seat_number=SEAT)) < desk.story.log.first(ready)
    (told,) = desk.story.ledger.of_type("wrap_up_noted")
    assert told == {"call_id": desk.call.call_id, "seat_number": SEAT, "text": "已解释办理流程", "who": str(WHO)}
    (note,) = desk.do(desk.operations.seats.wrap_ups(desk.call.call_id))
    assert note["text"] == "已解释办理流程"


def test_a_wrap_up_ends_by_itself_counted_from_the_end_of_the_call(tell: Tell) -> None:
    desk = tell(wrap_up_max_s=60).with_seat()
    desk.do(desk.operations.seats.set_seat_state(SEAT, "wrap_up", "", WHO))
    desk.story.run(100)
    desk.story.slot.end(desk.leg(SEAT))
    desk.story.run(59)
    assert desk.seat()["state"] == "wrap_up"
    desk.story.run(2)
    assert desk.seat()["state"] == "ready"


def test_where_the_site_wants_it_a_wrap_up_follows_every_call_before_the_next_one_is_offered(tell: Tell) -> None:
    desk = tell(wrap_up_after_call=True, wrap_up_max_s=60).with_seat()
    offered: list[str] = []
    waiting: Deferred[None] = Deferred()  # another caller, who looks again as soon as anybody is free
    waiting.addCallback(
        lambda _: offered.extend(seat.number for seat in desk.call.presence.free_seats(desk.story.office.seats))
    )
    desk.call.presence.when_freed(waiting)
    desk.story.slot.end(desk.leg(SEAT))
    assert offered == ["8002", "8003"]
    desk.story.time.advance(0)  # the disk has it
    assert (desk.seat()["state"], desk.seat()["next_state"]) == ("wrap_up", "wrap_up")
    assert SEAT not in [seat.number for seat in desk.call.presence.free_seats(desk.story.office.seats)]
    desk.story.run(61)
    assert desk.seat()["state"] == "ready"


def test_a_seat_that_did_not_answer_has_nothing_to_wrap_up(tell: Tell) -> None:
    desk = tell(phones={SEAT: BUSY}, wrap_up_after_call=True).with_seat()
    assert desk.seat()["state"] == "ready"


def test_a_text_is_refused_that_belongs_to_no_call_or_is_a_book(tell: Tell) -> None:
    desk = tell()
    assert desk.refusal(desk.operations.seats.wrap_up(SEAT, "x", WHO)) == "seat.no_call_to_wrap_up"
    desk.with_seat()
    assert desk.refusal(desk.operations.seats.wrap_up(SEAT, "长" * 2001, WHO)) == "seat.text_too_long"
    assert desk.refusal(desk.operations.seats.set_seat_state("6101", "away", "", WHO)) == "seat.unknown"
    assert desk.refusal(desk.operations.seats.set_seat_state(SEAT, "asleep", "", WHO)) == "seat.unknown_state"


def test_a_seat_that_does_not_answer_three_calls_in_a_row_is_away_with_that_reason(tell: Tell) -> None:
    presence, ledger = None, None
    for turn in range(3):
        desk = tell(phones={SEAT: SILENT, "8002": BUSY, "8003": BUSY}, ledger=ledger, presence=presence)
        presence, ledger = desk.call.presence, desk.story.ledger
        assert desk.seat()["state"] == "ready", f"after {turn} calls"
        desk.story.until_heard(Prompt.MENU).caller_presses("1").run(25)
        desk.story.end_everything().finish()
    assert (desk.seat()["state"], desk.seat()["reason"]) == ("away", NotOffered.CALLS_NOT_ANSWERED.value)
    away = [told for told in desk.story.ledger.of_type("seat_state_set") if told["number"] == SEAT]
    assert [(told["state"], told["who"]) for told in away] == [("away", "service")]


def test_a_call_answered_in_between_is_forgiveness(tell: Tell) -> None:
    presence = Presence()
    for _ in range(2):
        presence.seats.note_missed(SEAT, 3, MORNING)
    desk = tell(presence=presence).with_seat()
    assert desk.seat()["state"] == "talking"
    presence.seats.note_missed(SEAT, 3, MORNING)
    assert presence.seats.is_offered(SEAT)


def test_a_caller_who_hangs_up_while_the_seat_rings_is_no_call_missed_by_the_seat(tell: Tell) -> None:
    desk = tell(phones={SEAT: SILENT}, seat_misses_most=1)
    desk.story.until_heard(Prompt.MENU).caller_presses("1").run(15)
    desk.story.caller_hangs_up().finish()
    assert SEAT in rung(desk)
    assert desk.seat()["state"] == "ready"


def test_states_are_back_after_a_restart_and_a_wrap_up_is_over(tell: Tell) -> None:
    desk = tell()
    desk.do(desk.operations.seats.set_seat_state(SEAT, "away", "午餐", WHO))
    desk.do(desk.operations.seats.set_seat_state("8002", "wrap_up", "", WHO))
    rooms = desk.rooms()
    rooms.services = tell(presence=Presence()).story.services
    after = StoryOperations(rooms).seats
    desk.do(after.start())
    seats = {seat["number"]: seat for seat in after.statuses()}
    assert (seats[SEAT]["state"], seats[SEAT]["why"], seats[SEAT]["since"]) == ("away", "午餐", MORNING.isoformat())
    assert seats["8002"]["state"] == "ready"
    desk.operations.seats.stop()
