"""After hours a caller leaves an order by keys; one who hangs up half way leaves one too."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from ivr.calls.cdr import CallOutcome
from ivr.speech.prompts import Prompt
from tests.fakes.ledger import EVENING
from tests.fakes.line import CALLER_LEG, Story
from tests.unit.ivr.flows.conftest import Tell


def after_hours_until(tell: Tell, prompt: Prompt) -> Story:
    story = tell(at=EVENING).until_heard(Prompt.MENU_CLOSED).caller_presses("2")
    if prompt is Prompt.ASK_NUMBER_OWN:
        return story.until_heard(prompt)
    return story.until_heard(Prompt.ASK_NUMBER_OWN).caller_presses("1").until_heard(prompt)


def test_after_hours_a_request_becomes_an_order_with_a_message(tell: Tell) -> None:
    story = after_hours_until(tell, Prompt.BEEP).run(10).caller_presses("#")
    story.until_heard(Prompt.MESSAGE_REVIEW).caller_presses("1").finish()
    (draft,) = story.ledger.drafts
    assert (draft.kind.value, draft.matter_id, draft.unit_id) == ("after_hours", "tax", "tax")
    assert draft.message_path
    assert f"{draft.deadline.due_at:%m-%d %H:%M}" == "03-11 10:00"
    assert story.record.outcome is CallOutcome.ORDER


def test_the_message_can_be_heard_and_redone(tell: Tell) -> None:
    story = after_hours_until(tell, Prompt.BEEP).run(10).caller_presses("#")
    story.until_heard(Prompt.MESSAGE_REVIEW).caller_presses("2").run(3)
    first = story.call.request.message_path
    assert first in story.slot.played(CALLER_LEG)
    story.until_heard(Prompt.MESSAGE_REVIEW).caller_presses("3").until_heard(Prompt.BEEP).run(10).caller_presses("#")
    story.until_heard(Prompt.MESSAGE_REVIEW).caller_presses("1").finish()
    assert story.ledger.drafts[0].message_path not in ("", first)


@pytest.mark.parametrize("said_s", [2.5, 10])
def test_who_leaves_a_message_that_the_disk_does_not_take_hears_so_and_the_record_says_so(
    tell: Tell, said_s: float
) -> None:
    story = after_hours_until(tell, Prompt.BEEP)
    story.slot.cuts_recordings = "No space left on device"
    with capture_logs() as logs:
        story.run(said_s).caller_presses("#").until_heard(Prompt.MESSAGE_NOT_KEPT)
        story.finish()
    assert Prompt.MESSAGE_KEPT.value not in story.slot.played(CALLER_LEG)
    (draft,) = story.ledger.drafts  # the order is theirs all the same
    (cut,) = story.record.as_payload()["recordings_cut"]
    assert draft.message_path == (cut if said_s > 3 else "")
    assert [entry["file"] for entry in logs if entry["event"] == "recording_cut"] == [cut]


def test_a_keyed_number_is_read_back_and_must_be_one_we_may_ring(tell: Tell) -> None:
    story = after_hours_until(tell, Prompt.ASK_NUMBER_OWN).caller_presses("2")
    story.until_heard(Prompt.ASK_NUMBER_KEYS).caller_presses("0085212345678#"[:12]).run(3)
    assert Prompt.NUMBER_NOT_ALLOWED.value in story.slot.played(CALLER_LEG)
    story.until_heard(Prompt.ASK_NUMBER_KEYS).caller_presses("02162524455#")
    story.until_heard(Prompt.NUMBER_READ_BACK).caller_presses("1").run(1)
    assert story.call.request.callback_number == "02162524455"


@pytest.mark.parametrize("prompt", [Prompt.ASK_NUMBER_OWN, Prompt.LEAVE_MESSAGE, Prompt.BEEP])
def test_a_caller_who_hangs_up_half_way_still_leaves_an_order(tell: Tell, prompt: Prompt) -> None:
    story = after_hours_until(tell, prompt).run(3).caller_hangs_up().finish()
    (draft,) = story.ledger.drafts
    assert (draft.kind.value, draft.matter_id, draft.callback_number) == ("interrupted", "tax", "13912345678")
    assert story.record.outcome is CallOutcome.INTERRUPTED


def test_an_anonymous_caller_who_hangs_up_half_way_leaves_no_order_but_a_record(tell: Tell) -> None:
    story = tell(at=EVENING)
    story.record.caller_number = story.call.request.caller_number = "anonymous"
    story.run(5).caller_hangs_up().finish()
    assert not story.ledger.drafts
    assert len(story.ledger.of_type("call_ended")) == 1
