"""A 302 of a seat's or specialist's phone is written down as what it is, and followed once, to a number we may ring."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.calls.cdr import LegRecord
from ivr.calls.redirects import target_number
from ivr.speech.prompts import Prompt
from tests.fakes.line import CALLER_LEG, Behaviour, Phones, Story
from tests.unit.ivr.flows.conftest import Tell

MOBILE = "13900006101"
ACCEPTS = Behaviour(answers_after_s=1.0, presses="1")
BUSY, ANSWERS = Behaviour(refuses_with=486), Behaviour(answers_after_s=1.0)
OTHERS = dict.fromkeys(("6102", "6103", "8001", "8002", "8003"), BUSY)


def to(uri: str) -> Behaviour:
    return Behaviour(redirects_to=uri)


def direct(tell: Tell, phones: Phones, **manners: Any) -> Story:
    """Bring a caller to where specialists are rung without a seat."""
    story: Story = tell(phones={**OTHERS, **phones}, **manners)
    return story.until_heard(Prompt.MENU).caller_presses("4")


def legs_to(story: Story, number: str) -> list[LegRecord]:
    return [leg for leg in story.record.legs if leg.number == number]


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        (f"sip:{MOBILE}@10.0.0.9:5070", MOBILE), (f"<sip:{MOBILE}@evil.example;user=phone>", MOBILE),
        (f'"Li" <sip:+86{MOBILE}@pbx>', MOBILE), ("tel:+86-139-0000-6101;phone-context=x", MOBILE),
        (f"sips:{MOBILE};npdi@pbx", MOBILE), ("sip:10.0.0.9", ""), ("", ""), ("http://x", ""),
    ],
)  # fmt: skip
def test_the_number_a_redirect_names_and_never_its_host(uri: str, number: str) -> None:
    assert target_number(uri) == number


def test_a_specialists_redirect_is_followed_and_both_rings_are_in_the_record(tell: Tell) -> None:
    story = direct(tell, {"6101": to(f"sip:{MOBILE}@10.9.9.9"), MOBILE: ACCEPTS}).run(12)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of(MOBILE)}
    first, second = legs_to(story, "6101")
    assert (first.sip_status, first.cause, first.redirected_to) == (302, "redirected", MOBILE)
    assert first.ended_at is not None
    assert second.redirected_to == MOBILE
    assert second.accepted_at is not None
    assert not story.presence.is_free("6101"), "who talks elsewhere is not rung at the desk"
    assert not story.presence.is_free(MOBILE)
    story.end_everything().finish()
    assert story.presence.is_free("6101")
    assert story.presence.is_free(MOBILE)


@pytest.mark.parametrize("target", ["110", "12345", "16812345678", "0085212345678", "95588", "nobody", ""])
def test_a_number_that_may_not_be_rung_is_not_followed_and_the_record_says_where_it_pointed(
    tell: Tell, target: str
) -> None:
    story = direct(tell, {"6101": to(f"sip:{target}@10.9.9.9"), target: ACCEPTS}).run(12)
    assert not story.slot.legs_of(target)
    (leg,) = legs_to(story, "6101")
    expected = target.removeprefix("0086")
    assert (leg.sip_status, leg.cause, leg.redirected_to) == (302, "redirected, not followed", expected)


def test_it_is_followed_once_and_no_further(tell: Tell) -> None:
    other = "13900006999"
    story = direct(tell, {"6101": to(f"sip:{MOBILE}@x"), MOBILE: to(f"sip:{other}@x"), other: ACCEPTS}).run(12)
    assert len(story.slot.legs_of(MOBILE)) == 1
    assert not story.slot.legs_of(other)
    assert [leg.sip_status for leg in legs_to(story, "6101")] == [302, 302]


def test_two_phones_that_point_at_each_other_ring_nobody_for_ever(tell: Tell) -> None:
    story = direct(tell, {"6101": to("sip:6102@x"), "6102": to("sip:6101@x"), "6103": BUSY}).run(30)
    assert len(story.slot.rung) < 12


def test_a_number_that_is_in_a_call_is_not_rung_a_second_time(tell: Tell) -> None:
    story = tell(phones={**OTHERS, "6101": to(f"sip:{MOBILE}@x"), MOBILE: ACCEPTS})
    story.presence.take(MOBILE, object())
    story.until_heard(Prompt.MENU).caller_presses("4").run(12)
    assert not story.slot.legs_of(MOBILE)


def test_a_seats_redirect_is_followed_and_it_is_still_that_seat(tell: Tell) -> None:
    phones = {"8001": to(f"sip:{MOBILE}@x"), "8002": BUSY, "8003": BUSY, MOBILE: ANSWERS}
    story = tell(phones=phones).until_heard(Prompt.MENU).caller_presses("1").run(12)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of(MOBILE)}
    assert [leg.sip_status for leg in legs_to(story, "8001")] == [302, 0]
    assert legs_to(story, "8001")[1].accepted_at is not None


def test_a_caller_who_leaves_has_the_other_phone_stop_ringing_too(tell: Tell) -> None:
    phones = {"6101": to(f"sip:{MOBILE}@x"), MOBILE: Behaviour(answers_after_s=None)}
    story = direct(tell, phones).run(5)
    assert set(story.slot.legs_of(MOBILE)) & story.slot.live
    story.caller_hangs_up()
    assert not story.slot.live
