"""A supervisor in a call, in virtual time: who is connected with him in each mode, and that nobody else notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import config
from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import AttemptOutcome
from ivr.line.messages import Overhear, Record
from ivr.pool.pool import LineDied
from ivr.speech.prompts import Prompt
from node.operations.running_calls import RunningCalls
from node.operations.supervision import SupervisionOperations
from routing.site import Site, load_site
from tests.fakes.callback_story import ENTERPRISE, CallbackStory
from tests.fakes.line import CALLER_LEG, MORNING, Behaviour, Phones, Story
from tests.fakes.seat_story import ACCEPTS, ANSWERS, BUSY, SEAT, SPECIALIST, SUPERVISOR, SeatStory, now

BOSS = Actor.read("supervisor:王督办")
PHONES = {SEAT: ANSWERS, SPECIALIST: ACCEPTS, "6102": BUSY, SUPERVISOR: ANSWERS}
Tell = Callable[..., SeatStory]


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


@pytest.fixture
def tell(site: Site, tmp_path: Path) -> Iterator[Tell]:
    stories: list[Story] = []

    def begin(phones: Phones | None = None, **manners: Any) -> SeatStory:
        stories.append(Story(site, tmp_path, MORNING, PHONES | (phones or {}), **manners))
        return SeatStory(stories[-1])

    yield begin
    for story in stories:
        if not story.done.called:
            story.end_everything().finish()


def supervised(desk: SeatStory, mode: str) -> str:
    """Let a supervisor into the call; return the id of the supervision."""
    found: str = desk.do(desk.operations.supervision.begin(desk.call.call_id, SUPERVISOR, mode, BOSS))
    desk.story.run(1)
    return found


def around(desk: SeatStory) -> tuple[set[int], set[int]]:
    """Return whom the supervisor hears, and who hears him."""
    return desk.story.slot.overhears(desk.leg(SUPERVISOR))


def test_who_listens_hears_all_and_is_heard_by_nobody_nor_recorded(tell: Tell) -> None:
    desk = tell().with_specialist()
    three = {CALLER_LEG, desk.leg(SEAT), desk.leg(SPECIALIST)}
    supervised(desk, "listen")
    assert around(desk) == (three, set())
    assert desk.story.slot.joined_now() == three, "he is in no bridge"
    assert set(desk.story.slot.recorded[max(desk.story.slot.recorded)]) == three


def test_who_may_supervise_no_longer_is_out_of_every_call_and_nobody_else_is(tell: Tell) -> None:
    desk = tell().with_specialist()
    supervised(desk, "listen")
    desk.operations.supervision.end_all_of("督办")
    assert desk.call.supervision is not None, "half a name is another"
    desk.operations.supervision.end_all_of("王督办")
    desk.story.run(1)
    assert desk.call.supervision is None
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SEAT), desk.leg(SPECIALIST)}


def test_who_whispers_is_heard_by_the_seat_alone_and_without_a_seat_by_the_specialist(tell: Tell) -> None:
    desk = tell().with_specialist()
    supervised(desk, "whisper")
    assert around(desk)[1] == {desk.leg(SEAT)}
    desk.do(desk.operations.calls.leave(desk.call.call_id, BOSS))
    desk.story.run(1)
    assert around(desk) == ({CALLER_LEG, desk.leg(SPECIALIST)}, {desk.leg(SPECIALIST)})


def test_who_barges_in_is_heard_by_all_announced_by_a_tone_and_recorded(tell: Tell) -> None:
    desk = tell().with_specialist()
    supervised(desk, "barge")
    three = {CALLER_LEG, desk.leg(SEAT), desk.leg(SPECIALIST)}
    assert around(desk) == (three, three)
    assert set(desk.story.slot.recorded[max(desk.story.slot.recorded)]) == three | {desk.leg(SUPERVISOR)}
    assert desk.story.slot.played(CALLER_LEG)[-1] == Prompt.JOINED.value


def test_the_mode_changes_while_it_runs_and_the_record_has_each(tell: Tell) -> None:
    desk = tell().with_specialist()
    supervision = supervised(desk, "listen")
    desk.do(desk.operations.supervision.change(supervision, "barge", BOSS))
    assert around(desk)[1] == {CALLER_LEG, desk.leg(SEAT), desk.leg(SPECIALIST)}
    desk.do(desk.operations.supervision.change(supervision, "listen", BOSS))
    assert around(desk)[1] == set()
    desk.do(desk.operations.supervision.stop(supervision, BOSS))
    desk.story.run(1)
    assert desk.leg(SUPERVISOR) not in desk.story.slot.live
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SEAT), desk.leg(SPECIALIST)}
    desk.story.end_everything().finish()
    (kept,) = desk.story.ledger.of_type("call_ended")[-1]["supervisions"]
    assert (kept["who"], kept["number"]) == (str(BOSS), SUPERVISOR)
    assert [mode for mode, _ in kept["modes"]] == ["listen", "barge", "listen"]
    assert kept["ended_at"]


def test_he_hears_whoever_joins_and_does_not_hear_who_is_on_hold(tell: Tell) -> None:
    desk = tell().with_seat()
    supervised(desk, "listen")
    assert around(desk)[0] == {CALLER_LEG, desk.leg(SEAT)}
    desk.do(desk.operations.calls.transfer(desk.call.call_id, "company_registration", BOSS))
    desk.story.run(4)
    assert around(desk)[0] == {CALLER_LEG, desk.leg(SEAT), desk.leg(SPECIALIST)}
    desk.do(desk.operations.calls.hold(desk.call.call_id, BOSS))
    desk.story.run(0.1)
    assert around(desk)[0] == {desk.leg(SEAT), desk.leg(SPECIALIST)}


def test_while_he_listens_specialists_are_rung_one_after_the_other_and_none_is_forgotten(tell: Tell) -> None:
    desk = tell(phones={SPECIALIST: Behaviour(None), "6102": ACCEPTS}, ring_s=5).with_seat()
    supervised(desk, "listen")
    desk.do(desk.operations.calls.transfer(desk.call.call_id, "company_registration", BOSS))
    desk.story.run(3)
    assert not desk.story.slot.legs_of("6102")
    desk.story.run(7)
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SEAT), desk.leg("6102")}
    assert desk.leg("6102") in around(desk)[0]


def test_a_call_of_four_has_no_room_for_a_fifth_and_says_so(tell: Tell) -> None:
    desk = tell(phones={SPECIALIST: Behaviour(None), "6102": Behaviour(None)}).with_seat()
    desk.do(desk.operations.calls.transfer(desk.call.call_id, "company_registration", BOSS))
    desk.story.run(1)
    assert desk.refusal(desk.operations.supervision.begin(desk.call.call_id, SUPERVISOR, "listen", BOSS)) == (
        "supervision.no_room"
    )


def test_what_cannot_be_supervised_is_refused_with_the_reason(tell: Tell) -> None:
    desk = tell()
    supervise = desk.operations.supervision.begin
    assert desk.refusal(supervise(desk.call.call_id, SUPERVISOR, "listen", BOSS)) == "supervision.no_talk"
    desk.with_seat()
    call_id = desk.call.call_id
    assert desk.refusal(supervise("nothing", SUPERVISOR, "listen", BOSS)) == "call.gone"
    assert desk.refusal(supervise(call_id, SUPERVISOR, "shout", BOSS)) == "supervision.unknown_mode"
    assert desk.refusal(supervise(call_id, SEAT, "listen", BOSS)) == "supervision.phone_busy"
    for number in (
        "12345", "110", "10086", "95588", "0085212345678", "16812345678", "7001@evil.example", "sip:x@y", "",
        "+8612345", "139000011", "١٣٩٠٠٠٠١١١١",
    ):  # fmt: skip
        assert desk.refusal(supervise(call_id, number, "listen", BOSS)) == "supervision.wrong_number"
    supervised(desk, "listen")
    assert desk.refusal(supervise(call_id, "7002", "listen", BOSS)) == "supervision.taken"
    assert desk.refusal(desk.operations.supervision.change("nothing", "barge", BOSS)) == "supervision.gone"


@pytest.mark.parametrize("phone", [BUSY, Behaviour(None)])
def test_a_supervisor_who_does_not_answer_changes_nothing_for_the_others(tell: Tell, phone: Behaviour) -> None:
    desk = tell(phones={SUPERVISOR: phone}).with_specialist()
    supervised(desk, "barge")
    desk.story.run(20)
    assert desk.call.supervision is None
    assert not [command for command in desk.story.slot.sent if isinstance(command, Overhear)]
    assert desk.story.slot.joined_now() == {CALLER_LEG, desk.leg(SEAT), desk.leg(SPECIALIST)}
    assert desk.call.record.supervisions[0].modes == []


def test_a_supervisor_who_hangs_up_leaves_the_others_as_they_were(tell: Tell) -> None:
    desk = tell().with_specialist()
    supervised(desk, "barge")
    bridges = len(desk.story.slot.bridges)
    desk.story.slot.end(desk.leg(SUPERVISOR))
    desk.story.run(1)
    assert len(desk.story.slot.bridges) == bridges
    records = [command for command in desk.story.slot.sent if isinstance(command, Record)]
    assert desk.leg(SUPERVISOR) not in records[-1].legs


def test_the_survey_is_between_the_caller_and_the_line(tell: Tell) -> None:
    desk = tell().with_specialist()
    supervised(desk, "barge")
    desk.story.run(11)
    desk.story.slot.end(desk.leg(SEAT))
    desk.story.slot.end(desk.leg(SPECIALIST))
    desk.story.run(1)
    assert desk.leg(SUPERVISOR) not in desk.story.slot.live
    desk.story.until_heard(Prompt.SURVEY_LEVEL)


def test_he_hears_the_rest_when_the_caller_has_hung_up_and_is_released_with_the_others(tell: Tell) -> None:
    desk = tell().with_specialist()
    supervised(desk, "listen")
    desk.story.caller_hangs_up().run(1)
    assert around(desk)[0] == {desk.leg(SEAT), desk.leg(SPECIALIST)}
    desk.story.slot.end(desk.leg(SEAT))
    desk.story.finish()
    assert not desk.story.slot.live


def test_a_line_that_dies_ends_the_supervision_too(tell: Tell) -> None:
    desk = tell().with_specialist()
    supervised(desk, "barge")
    desk.story.slot.die(LineDied(line=1, sip_port=5999))
    desk.story.finish()
    assert desk.call.supervision is None
    assert desk.call.record.supervisions[0].ended_at


def test_a_callback_is_supervised_like_any_call_and_a_whisper_goes_to_the_specialist(
    site: Site, tmp_path: Path
) -> None:
    phones = {"6111": ACCEPTS, "6112": BUSY, ENTERPRISE: ANSWERS, SUPERVISOR: ANSWERS}
    story = CallbackStory(site, tmp_path, phones).ring_back()
    story.until_heard(Prompt.CALLBACK_INTRODUCTION, ENTERPRISE).run(2.2)
    supervision = SupervisionOperations(RunningCalls(story.callbacks.calls), story.callbacks._office)
    now(supervision.begin(story.call.call_id, SUPERVISOR, "whisper", BOSS), story.time)
    story.run(1)
    both = {story.leg("6111"), story.leg(ENTERPRISE)}
    assert story.slot.overhears(story.leg(SUPERVISOR)) == (both, {story.leg("6111")})
    story.run(10).hang_up("6111").run(1)
    assert story.leg(SUPERVISOR) not in story.slot.live
    assert story.hang_up(ENTERPRISE).outcome is AttemptOutcome.REACHED


def test_the_seconds_of_a_supervisor_are_no_talk_of_the_caller(tell: Tell) -> None:
    desk = tell().with_seat()
    supervised(desk, "barge")
    desk.story.run(10)
    leg = next(leg for leg in desk.call.record.legs if leg.number == SUPERVISOR)
    assert leg.two_way_s == 0.0
