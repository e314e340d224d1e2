"""A number that another caller left: whoever answers there hears so, and decides whether the call is theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callback_scheduler.orders.holds import Hold
from callback_scheduler.orders.order import AttemptOutcome as Came
from callback_scheduler.orders.order import MergedCall, OrderKind
from callback_scheduler.orders.states import OrderState
from ivr.line import messages as m
from ivr.speech.prompts import Prompt
from tests.fakes.callback_story import ENTERPRISE, CallbackStory
from tests.fakes.event_log import sent, written
from tests.fakes.ledger import an_order
from tests.unit.ivr.dispatch.conftest import ACCEPTS, ANSWERS, TAX, Tell

BOMBER = "13500000001"


def asked(tell: Tell, caller: str = BOMBER, prompt: Prompt = Prompt.CALLBACK_IS_IT_YOURS) -> CallbackStory:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back(caller_number=caller)
    return story.until_heard(prompt, ENTERPRISE)


def test_whoever_answers_is_joined_only_after_key_1(tell: Tell) -> None:
    story = asked(tell).run(3)
    assert not story.slot.joined_now()
    story.press(ENTERPRISE, "1").run(2)
    assert story.are_joined(ENTERPRISE, TAX)
    assert Prompt.CALLBACK_INTRODUCTION.value not in story.heard(ENTERPRISE)
    assert story.run(15).hang_up(ENTERPRISE).outcome is Came.REACHED


def test_key_2_is_on_disk_before_it_is_said_to_be_noted_and_nobody_is_rung_again(tell: Tell) -> None:
    story = asked(tell).press(ENTERPRISE, "2").until_heard(Prompt.CALLBACK_NOT_YOURS_NOTED, ENTERPRISE)
    said = story.log.first(sent(m.Play, files=(Prompt.CALLBACK_NOT_YOURS_NOTED.value,)))
    held = written("order_noted", changes={"hold_reason": Hold.NOT_THEIRS.value})
    assert story.log.first(held) < said
    attempt = story.finish()
    assert attempt.outcome is Came.ENTERPRISE_REFUSED
    assert Prompt.CALLBACK_NOT_THEIRS.value in story.heard(TAX)
    (order,) = story.ledger.known.values()
    assert order.hold_reason == Hold.NOT_THEIRS.value


def test_what_could_not_be_kept_is_not_said_to_be(tell: Tell) -> None:
    story = asked(tell)
    story.ledger.is_full = True
    story.press(ENTERPRISE, "2").until_heard(Prompt.TECHNICAL_TROUBLE, ENTERPRISE)
    assert Prompt.CALLBACK_NOT_YOURS_NOTED.value not in story.heard(ENTERPRISE)
    story.ledger.is_full = False


def test_a_voicemail_presses_nothing_and_is_no_talk(tell: Tell) -> None:
    story = asked(tell)
    assert story.finish().outcome is Came.TALK_TOO_SHORT
    assert story.heard(ENTERPRISE).count(Prompt.CALLBACK_IS_IT_YOURS.value) == 2
    (order,) = story.ledger.known.values()
    assert order.hold_reason == ""


def test_of_a_caller_who_showed_no_number_that_is_said(tell: Tell) -> None:
    asked(tell, "anonymous", Prompt.CALLBACK_IS_IT_YOURS_UNSHOWN).press(ENTERPRISE, "1").run(2)


@pytest.mark.parametrize("caller", [ENTERPRISE, f"+86{ENTERPRISE}", f"0086{ENTERPRISE}"])
def test_who_is_rung_at_their_own_number_is_asked_nothing(tell: Tell, caller: str) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back(caller_number=caller)
    story.until_heard(Prompt.CALLBACK_INTRODUCTION, ENTERPRISE).run(3)
    assert story.are_joined(ENTERPRISE, TAX)


def test_a_number_from_a_chat_is_asked_nothing_since_no_call_showed_one(tell: Tell) -> None:
    story = tell({TAX: ACCEPTS, ENTERPRISE: ANSWERS}).ring_back(caller_number="", kind=OrderKind.ONLINE)
    story.until_heard(Prompt.CALLBACK_INTRODUCTION, ENTERPRISE)


@pytest.mark.parametrize(
    ("caller", "number", "is_other"),
    [
        ("13500000001", "13700000002", True), ("+8613500000001", "13500000001", False),
        ("anonymous", "13700000002", True),
        ("", "13700000002", True), ("62524455", "02162524455", False), ("62524455", "13862524455", True),
        ("02162524455", "057162524455", True),
    ],
)  # fmt: skip
def test_which_number_is_another_ones(caller: str, number: str, is_other: bool) -> None:
    assert an_order(caller_number=caller, callback_number=number).is_for_another_number is is_other


def test_an_order_whose_number_has_rung_itself_since_is_its_own() -> None:
    order = an_order(caller_number=BOMBER)
    call = MergedCall(
        order_id="x", call_id="c2", kind=OrderKind.AFTER_HOURS, opened_at=order.opened_at, caller_number=ENTERPRISE,
        company="", key_path="", message_path="",
    )  # fmt: skip
    assert order.is_for_another_number
    assert order.state is OrderState.SENT
    assert not replace(order, merged_calls=(call,)).is_for_another_number


