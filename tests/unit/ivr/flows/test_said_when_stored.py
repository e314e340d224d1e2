"""What a voice says is noted is on disk by then; if the disk does not take it, the voice says so instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import config
from callback_scheduler.orders.order import AttemptOutcome
from ivr.speech.prompts import Prompt
from routing.site import Site, load_site
from tests.fakes.callback_story import ENTERPRISE, CallbackStory
from tests.fakes.ledger import CALLER_NUMBER, FakeLedger, an_order
from tests.fakes.line import CALLER_LEG, MORNING, Behaviour, Story

LEADER, TAX, COLLEAGUE, ORDER = "6119", "6111", "6112", "26031010001"
TEN_MINUTES = timedelta(minutes=10)
PICKS_UP, BUSY = Behaviour(), Behaviour(refuses_with=486)


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


# -- those we ring ------------------------------------------------------------------------------------------------

Rings = Callable[..., CallbackStory]


@pytest.fixture
def rings(site: Site, tmp_path: Path) -> Iterator[Rings]:
    stories: list[CallbackStory] = []

    def begin(phones: dict[str, Behaviour]) -> CallbackStory:
        stories.append(CallbackStory(site, tmp_path, phones))
        return stories[-1]

    yield begin
    for story in stories:
        story.ledger.let_go()
        for leg in sorted(story.slot.live):
            story.slot.end(leg)
        story.run(8)
        assert not story.callbacks._running


def acknowledging(rings: Rings) -> CallbackStory:
    """Let a leader press 1 while the disk is busy."""
    story = rings({LEADER: PICKS_UP}).remind_leader(LEADER, an_order())
    story.until_heard(Prompt.CALLBACK_LEADER_REMINDER, LEADER).ledger.hold()
    return story.press(LEADER, "1").run(5)


def test_a_leader_hears_that_it_is_noted_when_it_is_on_disk(rings: Rings) -> None:
    story = acknowledging(rings)
    assert story.heard(LEADER) == [Prompt.CALLBACK_LEADER_REMINDER.value]
    story.ledger.let_go()
    story.until_heard(Prompt.CALLBACK_LEADER_NOTED, LEADER).run(5)
    assert (story.reminded, len(story.ledger.notes("leader_reminded"))) == ([True], 1)


def test_a_leader_whose_key_cannot_be_kept_hears_that_it_is_not(rings: Rings) -> None:
    story = acknowledging(rings)
    story.ledger.let_go(is_full=True)
    story.until_heard(Prompt.TECHNICAL_TROUBLE, LEADER).run(5)
    assert Prompt.CALLBACK_LEADER_NOTED.value not in story.heard(LEADER)
    assert not story.ledger.notes("leader_reminded")


def test_a_leader_who_hangs_up_while_it_is_written_has_acknowledged(rings: Rings) -> None:
    story = acknowledging(rings).hang_up(LEADER)
    story.ledger.let_go()
    assert (story.run(5).reminded, len(story.ledger.notes("leader_reminded"))) == ([True], 1)


def promising(rings: Rings) -> tuple[CallbackStory, datetime]:
    """Let a specialist press 3 while the disk is busy; return when, too."""
    story = rings({TAX: PICKS_UP, COLLEAGUE: BUSY, ENTERPRISE: PICKS_UP}).ring_back()
    story.until_heard(Prompt.CALLBACK_WHISPER, TAX).ledger.hold()
    at = story.clock.now()
    return story.press(TAX, "3").run(3), at


def test_a_promise_to_ring_in_ten_minutes_is_on_disk_before_it_is_said_to_be_taken(rings: Rings) -> None:
    story, at = promising(rings)
    assert Prompt.TEN_MINUTES_NOTED.value not in story.heard(TAX)
    story.ledger.let_go()
    story.until_heard(Prompt.TEN_MINUTES_NOTED, TAX)
    order = story.ledger.known[ORDER]
    assert (order.promised_at, order.promised_by) == (at + TEN_MINUTES, TAX)
    assert story.outcome is AttemptOutcome.IN_TEN_MINUTES


def test_a_promise_that_cannot_be_written_is_none_and_is_said_to_be_none(rings: Rings) -> None:
    story, _ = promising(rings)
    story.ledger.let_go(is_full=True)
    story.until_heard(Prompt.TECHNICAL_TROUBLE, TAX)
    story.ledger.is_full = False
    assert story.outcome is AttemptOutcome.NOT_ACCEPTED
    assert story.ledger.known[ORDER].promised_at is None
    assert Prompt.TEN_MINUTES_NOTED.value not in story.heard(TAX)


# -- those who ring us --------------------------------------------------------------------------------------------

Calls = Callable[..., Story]


@pytest.fixture
def ledger() -> FakeLedger:
    """A ledger with one open order of CALLER_NUMBER, about tax."""
    ledger = FakeLedger()
    ledger.owe()
    return ledger


@pytest.fixture
def calls(site: Site, tmp_path: Path, ledger: FakeLedger) -> Iterator[Calls]:
    stories: list[Story] = []

    def begin(phones: dict[str, Behaviour] | None = None) -> Story:
        stories.append(Story(site, tmp_path, MORNING, phones or {}, ledger=ledger))
        return stories[-1]

    yield begin
    for story in stories:
        ledger.let_go()
        if not story.done.called:
            story.end_everything().finish()


def order_menu(calls: Calls, key: str) -> Story:
    story = calls().until_heard(Prompt.CALLBACK_OPEN_ORDER).caller_presses("1")
    return story.until_heard(Prompt.CALLBACK_ORDER_MENU).caller_presses(key)


def heard(story: Story, prompt: Prompt) -> bool:
    return prompt.value in story.slot.played(CALLER_LEG)


def test_an_enterprise_that_waits_for_its_unit_has_the_promise_on_disk_as_it_is_given(
    calls: Calls, ledger: FakeLedger
) -> None:
    story = calls({TAX: PICKS_UP, COLLEAGUE: BUSY, "6113": BUSY}).until_heard(Prompt.CALLBACK_OPEN_ORDER_KEYS).run(3)
    (leg,) = story.slot.legs_of(TAX)
    story.until_heard(Prompt.WHISPER_SPECIALIST, leg)
    ledger.hold()
    story.slot.press(leg, "3")
    story.run(2)
    assert Prompt.TEN_MINUTES_NOTED.value not in story.slot.played(leg)
    ledger.let_go()
    story.until_heard(Prompt.TEN_MINUTES_NOTED, leg)
    assert ledger.known[ORDER].promised_by == TAX


@pytest.mark.parametrize("is_full", [False, True])
def test_a_message_is_said_to_be_kept_when_it_is_with_the_order(
    calls: Calls, ledger: FakeLedger, is_full: bool
) -> None:
    story = order_menu(calls, "1").until_heard(Prompt.BEEP).run(8).caller_presses("#")
    story.until_heard(Prompt.MESSAGE_REVIEW)
    ledger.hold()
    story.caller_presses("1").run(3)
    assert not heard(story, Prompt.MESSAGE_KEPT)
    ledger.let_go(is_full=is_full)
    story.until_heard(Prompt.TECHNICAL_TROUBLE if is_full else Prompt.MESSAGE_KEPT)
    ledger.is_full = False
    story.until_heard(Prompt.CALLBACK_ORDER_MENU)
    assert len(ledger.known[ORDER].messages) == (0 if is_full else 1)
    assert heard(story, Prompt.MESSAGE_KEPT) is not is_full


@pytest.mark.parametrize("is_full", [False, True])
def test_another_number_is_said_to_be_rung_when_the_order_has_it(
    calls: Calls, ledger: FakeLedger, is_full: bool
) -> None:
    ledger.owe(callback_number="02162524455")
    story = order_menu(calls, "2").until_heard(Prompt.ASK_NUMBER_OWN).caller_presses("2")
    for _ in range(3):
        story.until_heard(Prompt.ASK_NUMBER_KEYS)
        ledger.hold()
        story.caller_presses("#").run(1)
    story.run(3)
    assert not heard(story, Prompt.NUMBER_KEPT)
    ledger.let_go(is_full=is_full)
    story.until_heard(Prompt.TECHNICAL_TROUBLE if is_full else Prompt.NUMBER_KEPT)
    ledger.is_full = False
    assert ledger.known[ORDER].callback_number == ("02162524455" if is_full else CALLER_NUMBER)


def test_a_number_that_is_the_orders_already_is_said_to_be(calls: Calls, ledger: FakeLedger) -> None:
    story = order_menu(calls, "2").until_heard(Prompt.ASK_NUMBER_OWN).caller_presses("1")
    story.until_heard(Prompt.NUMBER_KEPT)
    assert not ledger.notes("number_changed")
