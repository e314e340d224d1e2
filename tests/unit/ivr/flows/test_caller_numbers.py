"""No caller is lost by how their number is written, and none is rung where nobody may ring."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.calls.cdr import CallOutcome
from ivr.dispatch.incoming import IncomingCalls
from ivr.door.door import IncomingCall
from ivr.speech.prompts import Prompt
from routing.site import Site
from tests.fakes.ledger import EVENING
from tests.fakes.line import CALLER_LEG, MORNING, Story
from tests.fakes.number_forms import DIALLED, REFUSED
from tests.unit.ivr.flows.conftest import Tell


def after_hours(site: Site, folder: Path, caller: str) -> Story:
    """Begin the call of a caller whose trunk sent this text as their number."""
    incoming = IncomingCall("c1", caller, "12345", "127.0.0.1:5080", "loopback", (caller,))
    story = Story(site, folder, EVENING, {}, caller=caller)
    number, offered = IncomingCalls(story.services, story.office, None)._numbers_of(incoming)  # type: ignore[arg-type]
    story.record.caller_number = story.call.request.caller_number = number
    story.call.request.offered_number = offered
    return story


def leaves_message(story: Story) -> Story:
    """Let the caller choose a matter, key nothing more, and speak."""
    story.until_heard(Prompt.MENU_CLOSED).caller_presses("2").until_heard(Prompt.BEEP).run(5).caller_presses("#")
    return story.until_heard(Prompt.MESSAGE_REVIEW).caller_presses("1").finish()


@pytest.mark.parametrize(("written", "stored_form"), DIALLED.items())
def test_a_caller_who_hangs_up_after_the_matter_has_an_order_whatever_their_number_looks_like(
    site: Site, tmp_path: Path, written: str, stored_form: str
) -> None:
    story = after_hours(site, tmp_path, written)
    story.until_heard(Prompt.MENU_CLOSED).caller_presses("2").caller_hangs_up().finish()
    (draft,) = story.ledger.drafts
    assert (draft.callback_number, draft.caller_number) == (stored_form, stored_form)
    assert story.record.outcome is CallOutcome.INTERRUPTED


@pytest.mark.parametrize("written", REFUSED)
def test_a_message_left_from_what_may_not_be_dialled_is_kept_and_promises_no_time(
    site: Site, tmp_path: Path, written: str
) -> None:
    story = leaves_message(after_hours(site, tmp_path, written))
    (draft,) = story.ledger.drafts
    assert draft.callback_number == ""
    assert draft.message_path
    assert Prompt.ORDER_WITHOUT_NUMBER.value in story.slot.played(CALLER_LEG)
    assert Prompt.ORDER_OPENED.value not in story.slot.played(CALLER_LEG)
    assert not story.slot.rung


@pytest.mark.parametrize("written", [written for written in REFUSED if sum(map(str.isnumeric, written)) > 2])
def test_who_hangs_up_and_rang_from_what_may_not_be_dialled_is_kept_for_a_person_to_look_at(
    site: Site, tmp_path: Path, written: str
) -> None:
    story = after_hours(site, tmp_path, written)
    story.until_heard(Prompt.MENU_CLOSED).caller_presses("2").caller_hangs_up().finish()
    (draft,) = story.ledger.drafts
    assert draft.callback_number == ""
    assert draft.caller_number
    assert story.record.outcome is CallOutcome.INTERRUPTED


def test_a_form_that_reaches_the_flow_as_it_is_leaves_an_order_too(tell: Tell) -> None:
    story = tell(at=EVENING)
    story.record.caller_number = story.call.request.caller_number = "+862162524455"
    story.until_heard(Prompt.MENU_CLOSED).caller_presses("2").caller_hangs_up().finish()
    assert [draft.callback_number for draft in story.ledger.drafts] == ["02162524455"]


def test_a_caller_without_a_number_whom_nobody_takes_hears_how_to_reach_us(tell: Tell) -> None:
    story = tell(at=MORNING)
    story.record.caller_number = story.call.request.caller_number = ""
    story.until_heard(Prompt.MENU).caller_presses("0").finish()
    assert not story.ledger.drafts
    assert Prompt.NO_NUMBER_NO_ORDER.value in story.slot.played(CALLER_LEG)


def test_callers_without_a_number_are_not_one_person(tell: Tell) -> None:
    for nobody in ("anonymous", ""):
        story = tell(at=MORNING)
        story.ledger.owe(caller_number=nobody, callback_number="")
        story.record.caller_number = story.call.request.caller_number = nobody
        story.run(3)
        assert Prompt.CALLBACK_OPEN_ORDER.value not in story.slot.played(CALLER_LEG)


@pytest.mark.parametrize("keyed", ["16812345678", "110", "10086", "0085223456789", "17401234567", "95588", "12345"])
def test_keys_that_may_not_be_dialled_are_refused(tell: Tell, keyed: str) -> None:
    story = tell(at=EVENING).until_heard(Prompt.MENU_CLOSED).caller_presses("2")
    story.until_heard(Prompt.ASK_NUMBER_OWN).caller_presses("2")
    story.until_heard(Prompt.ASK_NUMBER_KEYS).caller_presses(keyed + "#").run(3)
    assert Prompt.NUMBER_NOT_ALLOWED.value in story.slot.played(CALLER_LEG)


@pytest.mark.parametrize(
    ("keyed", "stored_form"),
    [("62524455", "02162524455"), ("008613800138000", "13800138000"), ("02162345678*803", "02162345678-803")],
)
def test_keys_are_read_as_any_other_number(tell: Tell, keyed: str, stored_form: str) -> None:
    story = tell(at=EVENING).until_heard(Prompt.MENU_CLOSED).caller_presses("2")
    story.until_heard(Prompt.ASK_NUMBER_OWN).caller_presses("2")
    story.until_heard(Prompt.ASK_NUMBER_KEYS).caller_presses(keyed + "#")
    story.until_heard(Prompt.NUMBER_READ_BACK).caller_presses("1").run(1)
    assert story.call.request.callback_number == stored_form


def test_a_specialist_who_keys_an_order_without_a_number_is_told_and_rings_nobody(tell: Tell) -> None:
    for number in ("", "17401234567"):
        story = tell(at=MORNING, caller="6111")
        order = story.ledger.owe(caller_number="anonymous", callback_number=number)
        story.until_heard(Prompt.CALLBACK_ASK_ORDER).caller_presses(order.order_id + "#")
        story.until_heard(Prompt.CALLBACK_NO_NUMBER).end_everything().finish()
        assert not story.slot.rung
        assert not story.ledger.known[order.order_id].attempts


def test_who_rings_from_a_number_that_may_not_be_rung_is_offered_the_other_that_the_trunk_told(tell: Tell) -> None:
    story = tell(at=EVENING, caller="4001234567")
    story.call.request.offered_number = "13900000001"
    story.until_heard(Prompt.MENU_CLOSED).caller_presses("2").until_heard(Prompt.ASK_NUMBER_OWN)
    story.caller_hangs_up().finish()
    (draft,) = story.ledger.drafts
    assert (draft.caller_number, draft.callback_number) == ("4001234567", "13900000001")
