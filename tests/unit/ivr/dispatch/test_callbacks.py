"""Callbacks in virtual time: every way an attempt can go, and that the enterprise is rung at most once on each."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from callback_scheduler.orders.evidence import proves
from callback_scheduler.orders.order import AttemptOutcome as Came
from ivr.line import messages as m
from ivr.speech.prompts import Prompt
from tests.fakes.callback_story import ENTERPRISE
from tests.fakes.event_log import rung, written
from tests.fakes.line import Behaviour
from tests.unit.ivr.dispatch.conftest import Tell, talking

ACCEPTS = Behaviour(answers_after_s=1.0, presses="1")
BUSY = Behaviour(refuses_with=486)
ABSENT = Behaviour(answers_after_s=None)
VOICEMAIL = Behaviour(answers_after_s=1.0)
ANSWERS = Behaviour(answers_after_s=2.0)
TAX = "6111"
ALL_TIERS = frozenset({"head@2026-03-11T10:00:00+08:00"})


def test_a_talk_began_when_its_line_heard_it_also_for_a_node_that_stood_still(tell: Tell) -> None:
    story = talking(tell, seconds=0)
    began_before, hear = story.clock.now() + timedelta(seconds=2), story.slot.listener
    unread: list[m.Event] = []
    story.slot.listener = unread.append
    story.run(40)
    story.slot.listener = hear
    for event in unread:
        story.slot.tell(event)
    evidence = story.hang_up(TAX).finish().evidence
    assert evidence is not None
    assert evidence.two_way_s == pytest.approx(40, abs=2)
    assert evidence.talk_began_at is not None
    assert evidence.talk_began_at < began_before


# -- the straight way ---------------------------------------------------------------------------------------------


def test_enterprise_is_not_rung_until_the_unit_accepts(tell: Tell) -> None:
    story = tell({TAX: VOICEMAIL, ENTERPRISE: ANSWERS}).ring_back().run(6)
    assert story.slot.legs_of(TAX)
    assert not story.slot.legs_of(ENTERPRISE)
    story.press(TAX, "1").run(3)
    assert story.slot.legs_of(ENTERPRISE)


def test_the_intent_is_on_disk_before_the_enterprise_is_rung(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ABSENT}).ring_back().run(8)
    (phase,) = story.ledger.notes("attempt_phase")
    assert story.log.first(written("order_noted", note="attempt_phase")) < story.log.first(rung(ENTERPRISE))
    assert phase["attempt"].enterprise_rung_at is not None
    assert phase["attempt"].unit_number == TAX
    assert phase["epoch"] == 7


def test_a_talk_of_ten_seconds_reaches_the_enterprise_with_evidence(tell: Tell) -> None:
    attempt = talking(tell).hang_up(TAX).finish()
    evidence = attempt.evidence
    assert attempt.outcome is Came.REACHED
    assert proves(evidence)
    assert evidence is not None
    assert (evidence.unit_number, evidence.enterprise_number) == (TAX, ENTERPRISE)
    instants = [evidence.unit_answered_at, evidence.accepted_at, evidence.enterprise_answered_at,
                evidence.talk_began_at, attempt.ended_at]  # fmt: skip
    assert [one for one in instants if one] == sorted({one for one in instants if one})
    assert None not in instants
    assert evidence.recording.endswith("-talk.wav")


def test_the_evidence_is_stored_while_they_still_talk(tell: Tell) -> None:
    story = talking(tell, seconds=12)
    noted = story.ledger.notes("attempt_phase")[-1]["attempt"]
    assert proves(noted.evidence)
    assert not story.ended


def test_the_enterprise_hears_who_is_there_and_rates_when_the_specialist_has_left(tell: Tell) -> None:
    story = talking(tell).hang_up(TAX)
    story.until_heard(Prompt.SURVEY_LEVEL, ENTERPRISE).press(ENTERPRISE, "4")
    story.until_heard(Prompt.SURVEY_SOLVED, ENTERPRISE).press(ENTERPRISE, "1")
    story.finish()
    (survey,) = story.ledger.of_type("survey_answered")
    assert (survey["level"], survey["unit_id"]) == (4, "tax")
    order = story.ledger.known["26031010001"]
    assert (order.survey_level, order.is_solved) == (4, True)


def test_a_key_pressed_in_the_talk_is_no_rating(tell: Tell) -> None:
    story = talking(tell).press(ENTERPRISE, "1").hang_up(TAX)
    story.until_heard(Prompt.SURVEY_LEVEL, ENTERPRISE).run(1)
    assert not story.ledger.of_type("survey_answered")
    assert story.slot.hears(story.leg(ENTERPRISE)) == Prompt.SURVEY_LEVEL.value


def test_the_record_says_that_it_was_a_callback_and_of_which_attempt(tell: Tell) -> None:
    story = talking(tell).hang_up(ENTERPRISE)
    story.finish()
    (record,) = story.ledger.of_type("call_ended")
    assert (record["direction"], record["attempt_id"], record["outcome"]) == ("callback", "26031010001-a1", "served")
    assert record["two_way_s"] >= 10
    assert [leg["role"] for leg in record["legs"] if leg["accepted_at"]] == ["specialist"]


def test_a_specialist_who_waits_for_the_enterprise_hears_that_it_rings(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ABSENT}).ring_back().run(14)
    assert Prompt.CALLBACK_RINGING_ENTERPRISE.value in story.heard(TAX)
    assert story.slot.hears(story.leg(TAX)) == Prompt.MUSIC.value


# -- what the specialist may key ----------------------------------------------------------------------------------


def test_details_and_message_are_heard_on_demand_before_he_decides(tell: Tell, tmp_path: Path) -> None:
    (tmp_path / "message.wav").touch()
    (tmp_path / "later.wav").touch()
    story = tell({TAX: VOICEMAIL, ENTERPRISE: ANSWERS})
    story.ring_back(message_path=str(tmp_path / "message.wav"), messages=(str(tmp_path / "later.wav"),))
    story.until_heard(Prompt.CALLBACK_WHISPER, TAX).press(TAX, "4").run(2.2)
    story.until_heard(Prompt.CALLBACK_KEYS, TAX).press(TAX, "5").run(3)
    assert Prompt.CALLBACK_DETAILS.value in story.heard(TAX)
    assert str(tmp_path / "message.wav") in story.heard(TAX)
    played = [command.files for command in story.slot.sent if isinstance(command, m.Play)]
    assert (str(tmp_path / "message.wav"), str(tmp_path / "later.wav")) in played
    story.press(TAX, "1").run(3)
    assert story.slot.legs_of(ENTERPRISE)


def test_without_a_message_he_hears_that_there_is_none(tell: Tell) -> None:
    story = tell({TAX: VOICEMAIL}).ring_back(message_path="gone.wav")
    story.until_heard(Prompt.CALLBACK_WHISPER, TAX).press(TAX, "5").until_heard(Prompt.CALLBACK_NO_MESSAGE, TAX)


def test_key_two_passes_on_and_nobody_else_takes_it(tell: Tell) -> None:
    story = tell({TAX: Behaviour(presses="2"), "6112": ABSENT, ENTERPRISE: ANSWERS}).ring_back()
    assert story.outcome is Came.PASSED_ON
    assert Prompt.PASSED_ON.value in story.heard(TAX)


def test_a_colleague_may_accept_what_was_passed_on(tell: Tell) -> None:
    late = Behaviour(answers_after_s=5.0, presses="1")
    story = tell({TAX: Behaviour(presses="2"), "6112": late, ENTERPRISE: ANSWERS}).ring_back()
    story.until_heard(Prompt.CALLBACK_INTRODUCTION, ENTERPRISE).run(15).hang_up("6112")
    attempt = story.finish()
    assert (attempt.outcome, attempt.unit_number) == (Came.REACHED, "6112")


def test_key_three_ends_the_attempt_with_a_promise(tell: Tell) -> None:
    story = tell({TAX: Behaviour(presses="3"), "6112": ABSENT, ENTERPRISE: ANSWERS}).ring_back()
    attempt = story.finish()
    assert (attempt.outcome, attempt.unit_number) == (Came.IN_TEN_MINUTES, TAX)
    assert Prompt.TEN_MINUTES_NOTED.value in story.heard(TAX)
    assert not story.slot.legs_of(ENTERPRISE)


# -- the unit does not accept -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phone", "came"),
    [
        (BUSY, Came.UNIT_BUSY),
        (ABSENT, Came.UNIT_NO_ANSWER),
        (VOICEMAIL, Came.NOT_ACCEPTED),
        (Behaviour(presses="9"), Came.NOT_ACCEPTED),
        (Behaviour(hangs_up_after_s=2.0), Came.NOT_ACCEPTED),
        (Behaviour(refuses_with=603), Came.UNIT_REFUSED),
        (Behaviour(refuses_with=480), Came.UNIT_NO_ANSWER),
        (Behaviour(presses="2"), Came.PASSED_ON),
    ],
)
def test_a_unit_that_does_not_accept(tell: Tell, phone: Behaviour, came: Came) -> None:
    story = tell({TAX: phone, "6112": phone, ENTERPRISE: ANSWERS}).ring_back()
    attempt = story.finish()
    assert attempt.outcome is came
    assert not attempt.outcome.counts_as_tried
    assert attempt.enterprise_rung_at is None
    assert not story.slot.legs_of(ENTERPRISE)


def test_specialists_on_the_phone_are_not_rung_and_count_as_busy(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, "6112": ACCEPTS})
    story.presence.take(TAX, object())
    story.presence.take("6112", object())
    assert story.ring_back().outcome is Came.UNIT_BUSY
    assert not story.slot.rung


def test_only_the_tiers_that_the_ladder_has_opened_are_rung(tell: Tell) -> None:
    first = tell({TAX: ABSENT, "6113": ACCEPTS}).ring_back()
    first.finish()
    assert not first.slot.legs_of("6113")
    later = tell({TAX: ABSENT, "6113": ACCEPTS, ENTERPRISE: ABSENT}).ring_back(steps_done=ALL_TIERS).run(20)
    assert later.slot.legs_of("6113")


def test_a_reassigned_order_rings_the_unit_that_has_it_now(tell: Tell) -> None:
    story = tell({"6101": ACCEPTS, TAX: ACCEPTS, ENTERPRISE: ABSENT}).ring_back(unit_id="market").run(3)
    assert story.slot.legs_of("6101")
    assert not story.slot.legs_of(TAX)


def test_a_leg_is_kept_for_the_enterprise(tell: Tell) -> None:
    phones = {"6111": ABSENT, "6112": ABSENT, "6113": Behaviour(answers_after_s=14, presses="1"), ENTERPRISE: ANSWERS}
    story = tell(phones, ring_s=40.0).ring_back(steps_done=ALL_TIERS)
    story.until_heard(Prompt.CALLBACK_INTRODUCTION, ENTERPRISE)  # FakeSlot asserts on a fifth leg


# -- the enterprise is not reached --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phone", "came", "told"),
    [
        (BUSY, Came.ENTERPRISE_BUSY, Prompt.CALLBACK_ENTERPRISE_BUSY),
        (ABSENT, Came.ENTERPRISE_NO_ANSWER, Prompt.CALLBACK_ENTERPRISE_NO_ANSWER),
        (Behaviour(refuses_with=603), Came.ENTERPRISE_REFUSED, Prompt.CALLBACK_ENTERPRISE_NO_ANSWER),
        (Behaviour(refuses_with=480), Came.ENTERPRISE_NO_ANSWER, Prompt.CALLBACK_ENTERPRISE_NO_ANSWER),
        (Behaviour(hangs_up_after_s=1.0), Came.TALK_TOO_SHORT, Prompt.CALLBACK_ENTERPRISE_NO_ANSWER),
    ],
)
def test_an_enterprise_that_is_not_reached(tell: Tell, phone: Behaviour, came: Came, told: Prompt) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: phone}).ring_back()
    attempt = story.finish()
    assert attempt.outcome is came
    assert attempt.outcome.counts_as_tried
    assert attempt.enterprise_rung_at is not None
    assert told.value in story.heard(TAX)
    assert not story.slot.bridges


def test_a_network_that_cannot_ring_is_no_try(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: Behaviour(refuses_with=503)}).ring_back()
    assert story.outcome is Came.UNKNOWN


def test_a_voicemail_of_the_enterprise_is_a_talk_too_short(tell: Tell) -> None:
    attempt = talking(tell, seconds=6).hang_up(TAX).finish()
    assert attempt.outcome is Came.TALK_TOO_SHORT
    assert not proves(attempt.evidence)


def test_an_enterprise_left_after_a_short_talk_is_not_asked_for_a_rating(tell: Tell) -> None:
    story = talking(tell, seconds=4).hang_up(TAX)
    story.finish()
    assert Prompt.NOBODY_AVAILABLE.value in story.heard(ENTERPRISE)
    assert Prompt.SURVEY_LEVEL.value not in story.heard(ENTERPRISE)


def test_an_enterprise_that_hangs_up_leaves_a_specialist_who_is_told(tell: Tell) -> None:
    story = talking(tell).hang_up(ENTERPRISE)
    assert story.outcome is Came.REACHED
    assert Prompt.CALLER_GONE.value in story.heard(TAX)


# -- the specialist leaves before the enterprise is on ------------------------------------------------------------


def test_the_enterprise_rings_no_more_when_the_specialist_hangs_up(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ABSENT}).ring_back().run(10)
    assert story.leg(ENTERPRISE) in story.slot.live
    story.hang_up(TAX)
    assert story.leg(ENTERPRISE) not in story.slot.live
    assert story.outcome is Came.NOT_ACCEPTED


def test_the_enterprise_is_not_rung_for_one_who_has_left_already(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back()
    story.until_heard(Prompt.CALLBACK_RINGING_ENTERPRISE, TAX).hang_up(TAX)
    assert story.outcome is Came.NOT_ACCEPTED
    assert not story.slot.legs_of(ENTERPRISE)


def test_an_enterprise_whose_specialist_leaves_in_the_introduction_hears_an_apology(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back()
    story.until_heard(Prompt.CALLBACK_INTRODUCTION, ENTERPRISE).hang_up(TAX)
    assert story.outcome is Came.NOT_ACCEPTED
    assert Prompt.NOBODY_AVAILABLE.value in story.heard(ENTERPRISE)
