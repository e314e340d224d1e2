"""A seat's state is on disk before anybody is told of it, and is what it was if it does not get there."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

import config
from ivr.calls.presence import Presence
from ivr.refused import OperationRefused
from routing.site import Site, load_site
from tests.fakes.line import MORNING, Behaviour, Story
from tests.fakes.seat_story import ANSWERS, SEAT, WHO, SeatStory, now, seats_of

OTHERS = ("8002", "8003")
Tell = Callable[..., SeatStory]


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


@pytest.fixture
def tell(site: Site, tmp_path: Path) -> Iterator[Tell]:
    stories: list[Story] = []

    def begin(**more: Any) -> SeatStory:
        stories.append(Story(site, tmp_path, MORNING, {SEAT: ANSWERS, "8002": Behaviour(refuses_with=486)}, **more))
        stories[-1].ledger.is_by_hand = True  # each test says when the disk is done
        return SeatStory(stories[-1])

    yield begin
    for story in stories:
        if not story.done.called:
            story.ledger.let_go()
            story.end_everything().finish()


class Asking:
    """Somebody who has asked for something and waits for the answer: "done", or the key of the refusal."""

    def __init__(self, asked: Coroutine[Any, Any, Any]) -> None:
        self.answer = ""
        ensureDeferred(asked).addCallbacks(self._done, self._refused)

    def _done(self, _: Any) -> None:
        self.answer = "done"

    def _refused(self, failure: Any) -> None:
        failure.trap(OperationRefused)
        assert failure.value.text.endswith("。")
        self.answer = failure.value.key


def asks(desk: SeatStory, state: str) -> Asking:
    return Asking(desk.operations.seats.set_seat_state(SEAT, state, "", WHO))


def on_the_wall(desk: SeatStory) -> list[str]:
    """What the feed has told of the seat, in order."""
    return [fields["state"] for kind, fields in desk.told if kind == "seat" and fields["number"] == SEAT]


def on_disk(desk: SeatStory) -> list[str]:
    return [told["state"] for told in desk.story.ledger.of_type("seat_state_set") if told["number"] == SEAT]


def is_offered(desk: SeatStory) -> bool:
    return SEAT in [seat.number for seat in desk.call.presence.free_seats(desk.story.office.seats)]


def after_a_crash(desk: SeatStory, tell: Tell) -> str:
    """Return the state of the seat in a node that is started with the same journal."""
    rooms = desk.rooms()
    again = seats_of(rooms, tell(presence=Presence()).story.services)
    now(again.start(), desk.story.time)
    return next(str(seat["state"]) for seat in again.statuses() if seat["number"] == SEAT)


# -- what people ask for ----------------------------------------------------------------------------------------------


def test_nobody_is_told_that_a_seat_is_away_before_that_is_on_disk(tell: Tell) -> None:
    desk = tell()
    desk.story.ledger.hold()
    asking = asks(desk, "away")
    assert (asking.answer, on_the_wall(desk), desk.seat()["state"]) == ("", [], "ready")
    assert after_a_crash(desk, tell) == "ready"
    desk.story.ledger.let_go()
    assert (asking.answer, on_the_wall(desk), desk.seat()["state"]) == ("done", ["away"], "away")
    assert after_a_crash(desk, tell) == "away"


def test_a_state_that_cannot_be_written_is_refused_and_the_seat_is_what_it_was(tell: Tell) -> None:
    desk = tell()
    desk.story.ledger.hold()
    asking = asks(desk, "away")
    desk.story.ledger.let_go(is_full=True)
    assert asking.answer == "seat.state_not_stored"
    assert (desk.seat()["state"], is_offered(desk), on_disk(desk)) == ("ready", True, [])
    assert set(on_the_wall(desk)) <= {"ready"}
    assert after_a_crash(desk, tell) == "ready"


def test_a_seat_that_wants_no_calls_is_offered_none_while_that_is_written(tell: Tell) -> None:
    desk = tell()
    desk.story.ledger.hold()
    asks(desk, "away")
    assert not is_offered(desk)


def test_a_seat_is_offered_calls_only_once_it_is_on_disk_that_it_is_ready(tell: Tell) -> None:
    desk = tell()
    asks(desk, "away")
    desk.story.ledger.hold()
    asks(desk, "ready")
    assert not is_offered(desk)
    desk.story.ledger.let_go()
    assert is_offered(desk)


@pytest.mark.parametrize("clicks", [("away", "ready"), ("ready", "away"), ("away", "wrap_up", "away", "ready")])
def test_of_clicks_in_quick_succession_the_last_one_wins_on_disk_and_here(tell: Tell, clicks: tuple[str, ...]) -> None:
    desk = tell()
    desk.story.ledger.hold()
    asked = [asks(desk, state) for state in clicks]
    for done in range(len(clicks)):
        assert [asking.answer for asking in asked] == ["done"] * done + [""] * (len(clicks) - done)
        desk.story.ledger.let_one_go()
    assert (tuple(on_disk(desk)), tuple(on_the_wall(desk))) == (clicks, clicks)
    assert desk.seat()["state"] == clicks[-1]
    assert is_offered(desk) is (clicks[-1] == "ready")


def test_a_click_that_fails_takes_nothing_from_the_one_after_it(tell: Tell) -> None:
    desk = tell()
    desk.story.ledger.hold()
    first, second = asks(desk, "wrap_up"), asks(desk, "away")
    desk.story.ledger.let_one_go(is_full=True)
    desk.story.ledger.let_one_go()
    assert (first.answer, second.answer) == ("seat.state_not_stored", "done")
    assert (desk.seat()["state"], on_disk(desk)) == ("away", ["away"])


def test_seats_do_not_wait_for_each_other(tell: Tell) -> None:
    desk = tell()
    desk.story.ledger.hold()
    asks(desk, "away")
    other = Asking(desk.operations.seats.set_seat_state("8002", "away", "", WHO))
    desk.story.ledger.let_go()
    assert (other.answer, desk.seat("8002")["state"]) == ("done", "away")


# -- what a seat writes about its call --------------------------------------------------------------------------------


def test_a_note_is_answered_when_it_and_the_state_after_it_are_on_disk(tell: Tell) -> None:
    desk = tell().with_seat()
    asks(desk, "wrap_up")
    desk.story.ledger.hold()
    asking = Asking(desk.operations.seats.wrap_up(SEAT, "已解释", WHO))
    assert (asking.answer, desk.seat()["next_state"]) == ("", "wrap_up")
    desk.story.ledger.let_one_go()
    assert (asking.answer, desk.seat()["next_state"]) == ("", "wrap_up")
    desk.story.ledger.let_one_go()
    assert (asking.answer, desk.seat()["next_state"]) == ("done", "ready")


def test_who_writes_a_note_is_told_which_half_of_it_could_not_be_stored(tell: Tell) -> None:
    desk = tell().with_seat()
    asks(desk, "wrap_up")
    desk.story.ledger.hold()
    lost = Asking(desk.operations.seats.wrap_up(SEAT, "已解释", WHO))
    desk.story.ledger.let_one_go(is_full=True)
    half = Asking(desk.operations.seats.wrap_up(SEAT, "已解释", WHO))
    desk.story.ledger.let_one_go()
    desk.story.ledger.let_one_go(is_full=True)
    assert (lost.answer, half.answer) == ("seat.text_not_stored", "seat.ready_not_stored")
    assert len(desk.story.ledger.of_type("wrap_up_noted")) == 1
    assert desk.seat()["next_state"] == "wrap_up"


def test_a_note_makes_ready_whom_it_finds_in_wrap_up_when_its_turn_comes_and_nobody_else(tell: Tell) -> None:
    desk = tell().with_seat()
    asks(desk, "wrap_up")
    desk.story.ledger.hold()
    asks(desk, "away")
    Asking(desk.operations.seats.wrap_up(SEAT, "已解释", WHO))
    desk.story.ledger.let_go()
    assert (desk.seat()["next_state"], on_disk(desk)) == ("away", ["wrap_up", "away"])


# -- what calls and clocks bring about: nobody is answered, but everybody sees it -------------------------------------


def test_a_wrap_up_after_a_call_withholds_the_seat_at_once_and_is_seen_when_on_disk(tell: Tell) -> None:
    desk = tell(wrap_up_after_call=True).with_seat()
    desk.story.ledger.hold()
    desk.story.slot.end(desk.leg(SEAT))
    assert not is_offered(desk)
    assert on_the_wall(desk)[-1] == "talking"
    desk.story.ledger.let_go()
    assert (on_the_wall(desk)[-1], desk.seat()["state"]) == ("wrap_up", "wrap_up")


def test_a_wrap_up_that_cannot_be_written_leaves_the_seat_ready_for_who_waits(tell: Tell) -> None:
    desk = tell(wrap_up_after_call=True).with_seat()
    desk.story.ledger.hold()
    desk.story.slot.end(desk.leg(SEAT))
    woken: list[None] = []
    desk.call.presence.when_freed(waiter := desk.call.wait())
    waiter.addCallback(woken.append)
    desk.story.ledger.let_go(is_full=True)
    assert (on_the_wall(desk)[-1], is_offered(desk), len(woken)) == ("ready", True, 1)
    desk.story.ledger.let_go()


def test_a_seat_that_lets_calls_ring_is_away_when_on_disk_and_tried_again_if_not(tell: Tell) -> None:
    desk = tell()
    seats, ledger = desk.call.presence.seats, desk.story.ledger
    ledger.hold()
    seats.note_missed(SEAT, 1, MORNING)
    assert (is_offered(desk), desk.seat()["state"], on_the_wall(desk)) == (False, "ready", [])
    ledger.let_one_go(is_full=True)
    assert (is_offered(desk), desk.seat()["state"]) == (True, "ready")
    seats.note_missed(SEAT, 3, MORNING)
    assert is_offered(desk)
    seats.note_missed(SEAT, 3, MORNING)
    ledger.let_go()
    assert (is_offered(desk), desk.seat()["state"], desk.seat()["why"]) == (False, "away", "连续3次未接听")


def test_a_wrap_up_whose_end_cannot_be_written_ends_soon_after_it_can(tell: Tell) -> None:
    desk = tell(wrap_up_max_s=60)
    asks(desk, "wrap_up")
    desk.story.ledger.is_full = True
    desk.story.time.advance(61)
    assert desk.seat()["state"] == "wrap_up"
    desk.story.time.advance(10)
    desk.story.ledger.is_full = False
    assert desk.seat()["state"] == "wrap_up"
    desk.story.time.advance(10)
    assert desk.seat()["state"] == "ready"


def test_a_wrap_up_that_is_over_does_not_call_back_a_seat_that_has_just_gone_away(tell: Tell) -> None:
    desk = tell(wrap_up_max_s=60)
    asks(desk, "wrap_up")
    desk.story.time.advance(59)
    desk.story.ledger.hold()
    asks(desk, "away")
    desk.story.time.advance(2)
    desk.story.ledger.let_go()
    assert (desk.seat()["state"], on_disk(desk)) == ("away", ["wrap_up", "away"])
