"""Flows in virtual time: every way a call can go, and that nobody is lost on it."""

from __future__ import annotations

import pytest

from ivr.calls.cdr import CallOutcome, TransferResult
from ivr.line import messages as m
from ivr.pool.pool import LineDied
from ivr.speech.prompts import Prompt
from routing.site import Site
from tests.fakes.event_log import sent, written
from tests.fakes.line import CALLER_LEG, Behaviour, Story
from tests.unit.ivr.flows.conftest import Tell

ACCEPTS = Behaviour(answers_after_s=1.0, presses="1", presses_after_s=1.0)
BUSY = Behaviour(refuses_with=486)
ABSENT = Behaviour(answers_after_s=None)
VOICEMAIL = Behaviour(answers_after_s=1.0)
SEAT = Behaviour(answers_after_s=0.5)
ALL_BUSY = {number: BUSY for number in ("8001", "8002", "8003", "6101", "6102", "6103")}


def seat_then_specialist(tell: Tell, **phones: Behaviour) -> Story:
    """Bring caller, seat 8001 and specialist 6101 together."""
    story = tell(phones={"8001": SEAT, "8002": SEAT, "6101": ACCEPTS, "6102": BUSY, **phones})
    story.until_heard(Prompt.MENU).caller_presses("1").run(6)
    (seat,) = story.slot.legs_of("8001")
    for digit in "*#":
        story.slot.press(seat, digit)
    return story.run(4)


def test_the_call_is_on_disk_before_the_caller_is_answered(tell: Tell) -> None:
    story = tell()
    story.run(0.1)
    assert story.log.first(written("call_offered")) < story.log.first(sent(m.Answer))
    (told,) = story.ledger.of_type("call_offered")
    assert told["offered_at"], "a call that is lost with its node would have no time"


def test_a_full_disk_does_not_leave_the_caller_without_a_word(tell: Tell) -> None:
    story = tell()
    story.ledger.is_full = True
    story.finish()
    assert story.record.outcome is CallOutcome.FAILED


def test_caller_seat_and_specialist_talk_as_three(tell: Tell) -> None:
    story = seat_then_specialist(tell)
    (seat,), (specialist,) = story.slot.legs_of("8001"), story.slot.legs_of("6101")
    assert story.slot.joined_now() == {CALLER_LEG, seat, specialist}
    assert story.record.transfer is TransferResult.ACCEPTED


def test_the_seat_leaves_and_the_two_go_on_to_survey_and_goodbye(tell: Tell) -> None:
    story = seat_then_specialist(tell)
    (seat,), (specialist,) = story.slot.legs_of("8001"), story.slot.legs_of("6101")
    for digit in "*0":
        story.slot.press(seat, digit)
    story.run(12)
    assert story.slot.joined_now() == {CALLER_LEG, specialist}
    story.slot.end(specialist)
    story.until_heard(Prompt.SURVEY_LEVEL).caller_presses("5").until_heard(Prompt.SURVEY_SOLVED).caller_presses("1")
    story.finish()
    assert story.record.outcome is CallOutcome.SERVED
    assert story.ledger.of_type("survey_answered")[0]["level"] == 5
    assert story.ledger.of_type("survey_answered")[0]["is_solved"] is True
    assert story.record.two_way_s >= 10
    assert not story.ledger.drafts


def test_the_second_tier_is_rung_too_when_the_first_lets_both_its_phones_ring_beside_a_seat(tell: Tell) -> None:
    # four legs: the two phones of the first tier have the last ones until they are hung up
    story = tell(phones={"8001": SEAT, "6101": ABSENT, "6102": ABSENT, "6103": ACCEPTS})
    story.until_heard(Prompt.MENU).caller_presses("1").run(6)
    (seat,) = story.slot.legs_of("8001")
    for digit in "*#":
        story.slot.press(seat, digit)
    story.run(24)
    assert story.slot.legs_of("6103")
    assert story.record.transfer is TransferResult.ACCEPTED


def test_star_five_holds_the_caller_with_music_and_takes_him_back(tell: Tell) -> None:
    story = seat_then_specialist(tell)
    (seat,), (specialist,) = story.slot.legs_of("8001"), story.slot.legs_of("6101")
    for digit in "*5":
        story.slot.press(seat, digit)
    story.run(0.5)
    assert story.slot.joined_now() == {seat, specialist}
    assert story.slot.hears(CALLER_LEG) == Prompt.MUSIC.value
    for digit in "*5":
        story.slot.press(seat, digit)
    story.run(0.5)
    assert story.slot.joined_now() == {CALLER_LEG, seat, specialist}
    assert story.slot.hears(CALLER_LEG) == ""


def test_star_nine_drops_the_specialist_and_the_seat_can_bring_in_another(tell: Tell) -> None:
    story = seat_then_specialist(tell)
    (seat,) = story.slot.legs_of("8001")
    for digit in "*9":
        story.slot.press(seat, digit)
    story.run(1)
    assert story.slot.joined_now() == {CALLER_LEG, seat}
    story.slot.phones["6111"] = ACCEPTS
    for digit in "*21#":
        story.slot.press(seat, digit)
    story.run(4)
    assert story.slot.joined_now() == {CALLER_LEG, seat, *story.slot.legs_of("6111")}
    assert story.record.unit_id == "tax"


def test_a_seat_may_not_leave_the_caller_with_nobody(tell: Tell) -> None:
    story = tell(phones={"8001": SEAT})
    story.until_heard(Prompt.MENU).caller_presses("0").run(6)
    (seat,) = story.slot.legs_of("8001")
    for digit in "*0":
        story.slot.press(seat, digit)
    story.run(1)
    assert story.slot.joined_now() == {CALLER_LEG, seat}


def test_a_direct_matter_rings_specialists_and_no_seat(tell: Tell) -> None:
    story = tell(phones={"8001": SEAT, "6101": ABSENT, "6102": ACCEPTS})
    story.until_heard(Prompt.MENU).caller_presses("4").run(8)
    assert not story.slot.legs_of("8001")
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("6102")}


def test_the_one_who_rang_in_vain_is_cancelled_when_a_colleague_accepts(tell: Tell) -> None:
    story = tell(phones={"6101": ABSENT, "6102": ACCEPTS})
    story.until_heard(Prompt.MENU).caller_presses("4").run(8)
    (absent,) = story.slot.legs_of("6101")
    assert absent not in story.slot.live


def test_the_slower_of_two_who_accept_is_told_that_a_colleague_has_it(tell: Tell) -> None:
    slow = Behaviour(answers_after_s=1.0, presses="1", presses_after_s=1.5)
    story = tell(phones={"6101": ACCEPTS, "6102": slow})
    story.until_heard(Prompt.MENU).caller_presses("4").run(10)
    (late,) = story.slot.legs_of("6102")
    assert Prompt.ACCEPTED_BY_OTHER.value in story.slot.played(late)
    assert late not in story.slot.joined_now()


def test_the_second_tier_rings_while_the_first_still_rings(tell: Tell) -> None:
    story = tell(phones={"6101": ABSENT, "6102": ABSENT, "6103": ABSENT})
    story.until_heard(Prompt.MENU).caller_presses("4")
    story.run(17)
    assert story.slot.legs_of("6103")
    assert story.slot.legs_of("6101")[0] in story.slot.live


def test_a_refused_first_tier_does_not_keep_the_second_waiting(tell: Tell) -> None:
    story = tell(phones={"6101": BUSY, "6102": BUSY, "6103": ACCEPTS})
    story.until_heard(Prompt.MENU).caller_presses("4")
    story.run(8)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("6103")}


def test_a_voicemail_never_counts_as_accepted(tell: Tell) -> None:
    story = tell(phones={**ALL_BUSY, "6101": VOICEMAIL})
    story.until_heard(Prompt.MENU).caller_presses("4").finish()
    assert story.record.transfer is TransferResult.NOBODY
    assert [draft.kind.value for draft in story.ledger.drafts] == ["missed"]


def test_key_two_passes_on_to_the_next_tier_at_once(tell: Tell) -> None:
    passes_on = Behaviour(answers_after_s=1.0, presses="2")
    story = tell(phones={"6101": passes_on, "6102": BUSY, "6103": ACCEPTS})
    story.until_heard(Prompt.MENU).caller_presses("4").run(14)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("6103")}


def test_key_three_is_a_promise_the_caller_hears_of(tell: Tell) -> None:
    promises = Behaviour(answers_after_s=1.0, presses="3")
    story = tell(phones={**ALL_BUSY, "6101": promises})
    story.until_heard(Prompt.MENU).caller_presses("4").finish()
    assert Prompt.TEN_MINUTES_PROMISED.value in story.slot.played(CALLER_LEG)
    assert story.ledger.drafts


def test_with_no_seat_free_the_specialists_are_rung(tell: Tell) -> None:
    story = tell(phones={**ALL_BUSY, "6101": ACCEPTS})
    story.until_heard(Prompt.MENU).caller_presses("1").run(25)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("6101")}


def test_nobody_accepts_and_the_order_is_due_the_next_workday(tell: Tell) -> None:
    story = tell(phones=ALL_BUSY)
    story.until_heard(Prompt.MENU).caller_presses("1").finish()
    (draft,) = story.ledger.drafts
    assert (draft.kind.value, f"{draft.deadline.due_at:%m-%d %H:%M}") == ("missed", "03-11 10:00")
    assert Prompt.ORDER_OPENED.value in story.slot.played(CALLER_LEG)
    assert story.record.outcome is CallOutcome.ORDER


def test_a_waiting_caller_hears_a_first_word_every_ten_seconds_and_music_between(tell: Tell) -> None:
    story = tell(phones={"6101": ABSENT, "6102": ABSENT, "6103": ABSENT})
    story.until_heard(Prompt.MENU).caller_presses("4").run(32)
    words = [file for file in story.slot.played(CALLER_LEG) if file.startswith("waiting")]
    assert words[:2] == [Prompt.WAITING_1.value, Prompt.WAITING_2.value]


def test_a_caller_who_leaves_while_specialists_ring_has_them_cancelled_at_once(tell: Tell) -> None:
    story = tell(phones={"6101": ABSENT, "6102": ABSENT})
    story.until_heard(Prompt.MENU).caller_presses("4").run(5).caller_hangs_up()
    assert not story.slot.live
    story.finish()
    assert [draft.kind.value for draft in story.ledger.drafts] == ["interrupted"]


def test_a_specialist_who_answered_is_told_that_the_caller_has_gone(tell: Tell) -> None:
    story = tell(phones={"6101": VOICEMAIL, "6102": ABSENT})
    story.until_heard(Prompt.MENU).caller_presses("4").run(4).caller_hangs_up()
    (leg,) = story.slot.legs_of("6101")
    story.until_heard(Prompt.CALLER_GONE, leg).finish()


def test_when_the_caller_leaves_seat_and_specialist_may_finish(tell: Tell) -> None:
    story = seat_then_specialist(tell)
    (seat,), (specialist,) = story.slot.legs_of("8001"), story.slot.legs_of("6101")
    story.run(12).caller_hangs_up().run(20)
    assert story.slot.joined_now() == {seat, specialist}
    story.slot.end(seat)
    story.until_heard(Prompt.CALLER_GONE, specialist).finish()
    assert not story.ledger.drafts


@pytest.mark.parametrize("caller_has_left", [False, True])
def test_a_node_that_stops_does_not_wait_until_seat_and_specialist_have_finished(
    tell: Tell, caller_has_left: bool
) -> None:
    story = seat_then_specialist(tell)
    if caller_has_left:
        story.caller_hangs_up().run(1)
    story.call.release()
    story.run(6)
    assert story.done.called
    assert story.slot.is_released


def test_a_caller_cut_off_from_a_specialist_gets_a_seat(tell: Tell) -> None:
    brief = Behaviour(answers_after_s=1.0, presses="1", hangs_up_after_s=4.0)
    story = tell(phones={"8001": SEAT, "6101": brief, "6102": BUSY, "6103": BUSY})
    story.until_heard(Prompt.MENU).caller_presses("4").run(25)
    assert Prompt.ALONE_ANNOUNCEMENT.value in story.slot.played(CALLER_LEG)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("8001")}


def test_a_caller_cut_off_with_nobody_free_gets_an_order(tell: Tell) -> None:
    brief = Behaviour(answers_after_s=1.0, presses="1", hangs_up_after_s=4.0)
    story = tell(phones={**ALL_BUSY, "6101": brief})
    story.until_heard(Prompt.MENU).caller_presses("4").run(15)
    story.slot.phones["6101"] = BUSY
    story.finish()
    assert story.ledger.drafts


def test_no_menu_by_the_switch_leads_to_a_person(tell: Tell) -> None:
    story = tell(phones={"8001": SEAT}, menu_enabled=False)
    story.run(8)
    assert Prompt.MENU.value not in story.slot.played(CALLER_LEG)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("8001")}


def test_three_wrong_keys_lead_to_a_person_and_not_to_a_hang_up(tell: Tell) -> None:
    story = tell(phones={"8001": SEAT})
    for prompt in (Prompt.MENU, Prompt.MENU_AGAIN, Prompt.MENU_AGAIN):
        story.until_heard(prompt).caller_presses("9")
    story.run(10)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("8001")}


def test_a_matter_that_belongs_elsewhere_is_put_through_there(site: Site, tell: Tell) -> None:
    story = tell(phones={"9003": SEAT}, menu_matters=("complaint", "tax"))
    story.until_heard(Prompt.MENU).caller_presses("1").run(5)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("9003")}
    story.slot.end(story.slot.legs_of("9003")[0])
    assert story.finish().record.outcome is CallOutcome.ELSEWHERE


def test_a_line_that_dies_in_talk_leaves_an_order(tell: Tell) -> None:
    story = seat_then_specialist(tell)
    story.slot.die(LineDied(1, 5999))
    story.finish()
    assert story.record.outcome is CallOutcome.LINE_LOST
    assert [draft.kind.value for draft in story.ledger.drafts] == ["interrupted"]


def test_a_caller_who_leaves_in_the_greeting_is_an_abandoned_call(tell: Tell) -> None:
    story = tell().run(1).caller_hangs_up().finish()
    assert story.record.outcome is CallOutcome.ABANDONED
    assert not story.ledger.drafts


def test_exactly_one_record_is_written_for_a_call(tell: Tell) -> None:
    story = tell(phones=ALL_BUSY).until_heard(Prompt.MENU).caller_presses("1").finish().run(5)
    assert len(story.ledger.of_type("call_ended")) == 1


def test_never_more_than_four_legs_are_in_a_call(tell: Tell) -> None:
    story = tell(phones={number: ABSENT for number in ("6201", "6202", "6203", "8001")})
    story.until_heard(Prompt.MENU).caller_presses("0").finish()  # FakeSlot asserts on a fifth leg
    assert story.record.transfer is TransferResult.NOBODY


def test_specialists_on_another_call_are_not_rung(tell: Tell) -> None:
    story = tell(phones={"6101": ACCEPTS, "6102": ACCEPTS})
    story.presence.take("6101", object())
    story.until_heard(Prompt.MENU).caller_presses("4").run(8)
    assert not story.slot.legs_of("6101")
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("6102")}


@pytest.mark.parametrize("seconds", range(0, 70, 3))
def test_whenever_a_caller_hangs_up_the_call_ends_and_its_line_is_given_back(tell: Tell, seconds: int) -> None:
    story = tell(phones={"8001": BUSY, "8002": BUSY, "8003": BUSY, "6101": VOICEMAIL, "6102": ABSENT, "6103": BUSY})
    story.until_heard(Prompt.MENU).caller_presses("1").run(seconds).caller_hangs_up().finish()
    assert not story.slot.live
    assert len(story.ledger.of_type("call_ended")) == 1
    assert len(story.ledger.drafts) == 1


def test_a_specialist_who_becomes_free_in_time_is_rung_after_all(tell: Tell) -> None:
    story = tell(phones={"6101": ACCEPTS})
    other_call = object()
    for number in ("6101", "6102", "6103"):
        story.presence.take(number, other_call)
    story.until_heard(Prompt.MENU).caller_presses("4").run(20)
    assert not story.slot.rung
    story.presence.free("6101", other_call)
    story.run(4)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("6101")}


def test_specialists_who_stay_busy_lead_to_an_order_when_the_time_is_up(tell: Tell) -> None:
    story = tell()
    for number in ("6101", "6102", "6103"):
        story.presence.take(number, object())
    story.until_heard(Prompt.MENU).caller_presses("4").run(40)
    assert not story.ledger.drafts
    assert [draft.kind.value for draft in story.finish().ledger.drafts] == ["missed"]
