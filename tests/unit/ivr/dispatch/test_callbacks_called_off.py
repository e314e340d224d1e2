"""What ends a callback before its time: lease, line, disk and node; and leaders who are reminded by phone."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from twisted.logger import LogEvent, globalLogPublisher

from callback_scheduler.orders.order import AttemptOutcome as Came
from ivr.pool.pool import LineDied
from ivr.speech.prompts import Prompt
from tests.fakes.callback_story import ENTERPRISE, NINE
from tests.fakes.ledger import an_order
from tests.fakes.line import Behaviour
from tests.unit.ivr.dispatch.conftest import Tell, talking

ACCEPTS = Behaviour(answers_after_s=1.0, presses="1")
BUSY = Behaviour(refuses_with=486)
ABSENT = Behaviour(answers_after_s=None)
VOICEMAIL = Behaviour(answers_after_s=1.0)
ANSWERS = Behaviour(answers_after_s=2.0)
TAX = "6111"




def test_with_the_lease_lost_the_enterprise_is_not_rung(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS})
    story.ledger.lost_after = 0
    assert story.ring_back().outcome is Came.CALLED_OFF
    assert not story.slot.legs_of(ENTERPRISE)
    assert Prompt.ACCEPTED_BY_OTHER.value in story.heard(TAX)


def test_with_the_lease_lost_while_the_intent_was_written_the_enterprise_is_not_rung(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS})
    story.ledger.lost_with = "attempt_phase"
    attempt = story.ring_back().finish()
    assert (attempt.outcome, attempt.enterprise_rung_at) == (Came.CALLED_OFF, None)
    assert not story.slot.legs_of(ENTERPRISE)


def test_with_the_lease_lost_while_the_enterprise_rang_nobody_is_joined(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS})
    story.ledger.lost_after = 2
    assert story.ring_back().outcome is Came.CALLED_OFF
    assert not story.slot.bridges


@pytest.mark.parametrize("trouble", ["is_away", "is_full"])
def test_an_intent_that_cannot_be_stored_rings_nobody(tell: Tell, trouble: str) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back()
    story.until_heard(Prompt.CALLBACK_RINGING_ENTERPRISE, TAX)
    setattr(story.ledger, trouble, True)
    attempt = story.finish()
    assert (attempt.outcome, attempt.enterprise_rung_at) == (Came.CALLED_OFF, None)
    assert not story.slot.legs_of(ENTERPRISE)


def test_without_a_line_the_attempt_is_called_off(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS})
    story.lines.slot = None
    story.ring_back().run(6)
    assert story.ended[0].outcome is Came.CALLED_OFF
    story.lines.slot = story.slot


def test_a_line_that_is_just_being_forked_is_waited_for(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS})
    story.lines.slot = None
    story.ring_back().run(1)
    story.lines.slot = story.slot
    story.run(2)
    assert story.slot.legs_of(TAX)


def test_an_enterprise_on_the_phone_with_us_is_not_rung_back(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS})
    story.presence.take(ENTERPRISE, object())
    assert story.ring_back().outcome is Came.CALLED_OFF
    assert not story.slot.rung


@pytest.mark.parametrize("seconds", [0.5, 3.0, 9.0, 12.0])
def test_a_line_that_dies_before_ten_seconds_of_talk_leaves_nobody_the_wiser(tell: Tell, seconds: float) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back().run(seconds)
    story.slot.die(LineDied(1, 5999))
    assert story.outcome is Came.UNKNOWN
    (record,) = story.ledger.of_type("call_ended")
    assert record["outcome"] == "line_lost"


@pytest.mark.parametrize("seconds", [0.5, 12.0])
def test_a_line_that_dies_in_a_callback_leaves_no_error_that_nobody_handles(tell: Tell, seconds: float) -> None:
    unhandled: list[LogEvent] = []
    observer: Any = unhandled.append  # zope's interfaces say little to mypy
    globalLogPublisher.addObserver(observer)
    try:
        story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back().run(seconds)
        story.slot.die(LineDied(1, 5999))
        assert story.outcome is Came.UNKNOWN
        story.slot.listener = lambda event: None  # the call is over: nothing holds it any more
        gc.collect()
    finally:
        globalLogPublisher.removeObserver(observer)
    assert not [event for event in unhandled if event.get("log_failure")]


def test_a_line_that_dies_after_a_talk_does_not_take_the_evidence_along(tell: Tell) -> None:
    story = talking(tell)
    story.slot.die(LineDied(1, 5999))
    assert story.outcome is Came.REACHED


@pytest.mark.parametrize("seconds", [0.5, 3.0, 9.0, 12.0])
def test_a_node_that_stops_calls_the_attempt_off(tell: Tell, seconds: float) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back().run(seconds)
    stopped = story.stop_node()
    assert story.outcome is Came.CALLED_OFF
    story.run(1)
    assert stopped.called


def test_a_matter_nobody_knows_any_more_is_an_error_of_ours_and_rings_nobody(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS}).ring_back(matter_id="abolished")
    assert story.outcome is Came.CALLED_OFF
    assert not story.slot.rung


def test_a_full_disk_rings_nobody(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS})
    story.ledger.is_full = True
    assert story.ring_back().outcome is Came.CALLED_OFF
    assert not story.slot.rung


@pytest.mark.parametrize("seconds", range(0, 40, 2))
def test_whenever_the_specialist_hangs_up_the_attempt_ends_and_the_line_is_given_back(tell: Tell, seconds: int) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back().run(seconds + 1.5)
    if story.leg(TAX) in story.slot.live:
        story.hang_up(TAX)
    attempt = story.finish()
    assert attempt.ended_at is not None
    assert len(story.slot.legs_of(ENTERPRISE)) <= 1
    assert len(story.ledger.of_type("call_ended")) == 1
    assert not story.presence.taken()


def test_a_leader_who_presses_one_has_acknowledged(tell: Tell) -> None:
    story = tell({"6119": Behaviour(presses="1", presses_after_s=3.0)}).remind_leader("6119", an_order()).run(30)
    assert story.reminded == [True]
    assert Prompt.CALLBACK_LEADER_NOTED.value in story.heard("6119")
    (record,) = story.ledger.of_type("call_ended")
    assert (record["direction"], record["outcome"]) == ("reminder", "reminded")


@pytest.mark.parametrize("phone", [BUSY, ABSENT, VOICEMAIL, Behaviour(hangs_up_after_s=1.0), Behaviour(presses="2")])
def test_a_leader_who_does_not_press_one_has_not(tell: Tell, phone: Behaviour) -> None:
    story = tell({"6119": phone}).remind_leader("6119", an_order()).run(60)
    assert story.reminded == [False]
    assert not story.slot.live


def test_a_leader_who_hangs_up_on_our_thanks_has_acknowledged(tell: Tell) -> None:
    story = tell({"6119": Behaviour(presses="1", hangs_up_after_s=1.5)}).remind_leader("6119", an_order()).run(30)
    assert story.reminded == [True]


def test_begun_at_is_kept(tell: Tell) -> None:
    assert tell({TAX: BUSY}).ring_back().finish().begun_at == NINE
