"""The wall: where a call is, told as often as somebody rings, answers, joins or goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import config
from ivr.dispatch.stage import stage_of
from ivr.dispatch.status import status_of, statuses
from routing.site import load_site
from tests.fakes.line import MORNING, Story
from tests.fakes.seat_story import ACCEPTS, ANSWERS, BUSY, SEAT, SPECIALIST, SUPERVISOR, WHO, SeatStory

PHONES = {SEAT: ANSWERS, "8002": BUSY, "8003": BUSY, SPECIALIST: ACCEPTS, "6102": BUSY, SUPERVISOR: ANSWERS}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[SeatStory]:
    """A caller in working hours, one seat, one specialist and a supervisor's phone."""
    story = Story(load_site(Path(config.__file__).parent / "hotline.yaml"), tmp_path, MORNING, PHONES)
    yield SeatStory(story)
    if not story.done.called:
        story.end_everything().finish()


def stages_told(desk: SeatStory) -> list[str]:
    """Return a list that fills with where the call is, each time it tells of something else than before."""
    told: list[str] = []

    def hear(what: str, call: object) -> None:
        stage = stage_of(desk.call).value
        if told[-1:] != [stage]:
            told.append(stage)

    desk.call.services = replace(desk.call.services, tell=hear)
    return told


def test_the_wall_hears_of_each_place_of_a_call_at_the_moment_it_gets_there(desk: SeatStory) -> None:
    told = stages_told(desk)
    desk.with_specialist()
    desk.do(desk.operations.calls.hold(desk.call.call_id, WHO))
    desk.story.run(1)
    desk.do(desk.operations.calls.hold(desk.call.call_id, WHO))
    desk.story.run(1)
    desk.do(desk.operations.calls.leave(desk.call.call_id, WHO))
    desk.story.run(1)
    assert told[-8:] == [
        "waits_for_seat", "rings_seat", "with_seat", "seat_rings_specialist", "three_way", "held", "three_way",
        "with_specialist",
    ]  # fmt: skip


def test_the_wall_sees_who_is_in_a_call_but_no_number_except_the_callers_masked(desk: SeatStory) -> None:
    desk.with_specialist()
    shown = status_of(desk.call)
    assert [(one["role"], one["is_up"]) for one in shown["people"]] == [("seat", True), ("specialist", True)]
    assert SEAT not in str(shown)
    assert SPECIALIST not in str(shown)
    assert desk.call.record.caller_number not in str(shown)
    assert shown["matter_id"] == desk.call.record.matter_id


def test_the_wall_hears_that_a_supervisor_comes_changes_and_goes_without_his_number(desk: SeatStory) -> None:
    desk.with_specialist()
    told: list[tuple[str, str] | None] = []

    def hear(what: str, call: object) -> None:
        supervision = status_of(desk.call)["supervision"]
        told.append((supervision["mode"], supervision["state"]) if supervision else None)
        assert SUPERVISOR not in str(supervision)

    desk.call.services = replace(desk.call.services, tell=hear)
    found = desk.do(desk.operations.supervision.begin(desk.call.call_id, SUPERVISOR, "listen", WHO))
    desk.story.run(1)
    desk.do(desk.operations.supervision.change(found, "barge", WHO))
    desk.do(desk.operations.supervision.stop(found, WHO))
    desk.story.run(0.5)
    steps = [one for place, one in enumerate(told) if place == 0 or told[place - 1] != one]
    assert steps[-4:] == [("listen", "ringing"), ("listen", "on"), ("barge", "on"), None]


def test_a_call_that_has_given_its_line_back_is_not_shown_while_its_record_is_written(desk: SeatStory) -> None:
    on, over = SimpleNamespace(slot=desk.call.slot), SimpleNamespace(slot=SimpleNamespace(listener=None))
    assert on.slot.listener is not None
    assert [one["call_id"] for one in statuses([desk.call, over])] == [desk.call.call_id]  # type: ignore[list-item]
