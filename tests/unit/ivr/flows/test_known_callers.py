"""Callers whose number we know: specialists who dial in, enterprises that ring again, and what these may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import config
from callback_scheduler.orders.evidence import proves
from callback_scheduler.orders.order import Attempt
from callback_scheduler.orders.order import AttemptOutcome as Came
from callback_scheduler.orders.states import OrderState
from ivr.calls.cdr import CallOutcome, TransferResult
from ivr.calls.office import Office
from ivr.flows.own_order import next_open
from ivr.line import messages as m
from ivr.speech.prompts import Prompt
from routing.clock import SHANGHAI
from routing.site import Site, load_site
from tests.fakes.event_log import rung, sent, written
from tests.fakes.ledger import CALLER_NUMBER, EVENING, FakeLedger
from tests.fakes.line import CALLER_LEG, MORNING, Behaviour, Story

ACCEPTS = Behaviour(answers_after_s=1.0, presses="1")
BUSY = Behaviour(refuses_with=486)
ANSWERS = Behaviour(answers_after_s=2.0)
ALL_BUSY = {number: BUSY for number in ("6111", "6112", "6113", "8001", "8002", "8003")}
ORDER = "26031010001"
Tell = Callable[..., Story]


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(Path(config.__file__).parent / "hotline.yaml")


@pytest.fixture
def ledger() -> FakeLedger:
    """A ledger with one open order of CALLER_NUMBER, about tax."""
    ledger = FakeLedger()
    ledger.owe()
    return ledger


@pytest.fixture
def tell(site: Site, tmp_path: Path, ledger: FakeLedger) -> Iterator[Tell]:
    stories: list[Story] = []

    def begin(at: datetime = MORNING, phones: dict[str, Behaviour] | None = None, **options: object) -> Story:
        stories.append(Story(site, tmp_path, at, phones or {}, ledger=ledger, **options))  # type: ignore[arg-type]
        return stories[-1]

    yield begin
    for story in stories:
        if not story.done.called:
            story.end_everything().finish()
        assert not ledger.leases, "an order was not given back"


def specialist_rings(tell: Tell, enterprise: Behaviour = ANSWERS, keys: str = ORDER + "#") -> Story:
    story = tell(phones={CALLER_NUMBER: enterprise}, caller="6111")
    return story.until_heard(Prompt.CALLBACK_ASK_ORDER).caller_presses(keys)


def attempt_of(ledger: FakeLedger) -> Attempt:
    return ledger.known[ORDER].attempts[-1]


# -- a specialist dials in ----------------------------------------------------------------------------------------


def test_a_specialist_who_keys_an_order_talks_with_its_enterprise(tell: Tell, ledger: FakeLedger) -> None:
    story = specialist_rings(tell).run(20)
    (enterprise,) = story.slot.legs_of(CALLER_NUMBER)
    assert story.slot.joined_now() == {CALLER_LEG, enterprise}
    story.slot.end(CALLER_LEG)
    story.until_heard(Prompt.SURVEY_LEVEL, enterprise).end_everything().finish()
    attempt = attempt_of(ledger)
    assert (attempt.outcome, attempt.by, attempt.unit_number) == (Came.REACHED, "specialist", "6111")
    assert proves(attempt.evidence)
    assert ledger.known[ORDER].state is OrderState.REACHED
    assert story.record.direction.value == "dial_in"


def test_the_intent_is_stored_before_a_dialled_in_specialist_gets_the_enterprise(
    tell: Tell, ledger: FakeLedger
) -> None:
    story = specialist_rings(tell).run(4)
    (phase,) = ledger.notes("attempt_phase")
    begun, noted = written("order_changed", event="attempt_begun"), written("order_noted", note="attempt_phase")
    assert story.log.first(begun) < story.log.first(noted) < story.log.first(rung(CALLER_NUMBER))
    assert phase["attempt"].enterprise_rung_at is not None
    assert [payload["event"] for payload in ledger.of_type("order_changed")] == ["attempt_begun"]


def test_an_enterprise_that_is_busy_is_a_failed_attempt_and_is_dialled_again(tell: Tell, ledger: FakeLedger) -> None:
    story = specialist_rings(tell, enterprise=BUSY).finish()
    order = ledger.known[ORDER]
    assert attempt_of(ledger).outcome is Came.ENTERPRISE_BUSY
    assert order.state is OrderState.NOT_REACHED
    assert order.dial_after is not None
    assert Prompt.CALLBACK_ENTERPRISE_BUSY.value in story.slot.played(CALLER_LEG)


def test_a_specialist_who_hangs_up_while_the_enterprise_rings_stops_it(tell: Tell, ledger: FakeLedger) -> None:
    story = specialist_rings(tell, enterprise=Behaviour(answers_after_s=None)).run(5).caller_hangs_up()
    assert not story.slot.live
    story.finish()
    assert attempt_of(ledger).outcome is Came.NOT_ACCEPTED
    assert not ledger.drafts


def test_at_night_a_specialist_who_dials_in_is_told_so_and_no_enterprise_is_rung(
    tell: Tell, ledger: FakeLedger
) -> None:
    story = tell(at=EVENING, phones={CALLER_NUMBER: ANSWERS}, caller="6111")
    story.until_heard(Prompt.CALLBACK_ASK_ORDER).caller_presses(ORDER + "#").until_heard(Prompt.CALLBACK_NOT_NOW)
    story.finish()
    assert not story.slot.legs_of(CALLER_NUMBER)
    assert not ledger.known[ORDER].attempts
    assert not ledger.drafts


@pytest.mark.parametrize("minutes", [0.5, 2.0])
def test_nor_right_after_the_last_call_but_a_minute_later(tell: Tell, ledger: FakeLedger, minutes: float) -> None:
    ended_at = MORNING - timedelta(minutes=minutes)
    last = Attempt(
        attempt_id=f"{ORDER}-a1", begun_at=ended_at, ended_at=ended_at, by="timetable", number=CALLER_NUMBER,
        outcome=Came.ENTERPRISE_NO_ANSWER, enterprise_rung_at=ended_at,
    )  # fmt: skip
    ledger.owe(state=OrderState.NOT_REACHED, attempts=(last,))
    story = specialist_rings(tell).run(6)
    is_told = Prompt.CALLBACK_ENOUGH_TODAY.value in story.slot.played(CALLER_LEG)
    assert (is_told, bool(story.slot.legs_of(CALLER_NUMBER))) == ((True, False) if minutes < 1 else (False, True))


def test_an_order_of_another_unit_is_unknown_to_a_specialist(tell: Tell, ledger: FakeLedger) -> None:
    ledger.owe(unit_id="market", matter_id="food_license")
    story = specialist_rings(tell).until_heard(Prompt.CALLBACK_UNKNOWN_ORDER)
    assert not story.slot.legs_of(CALLER_NUMBER)


def test_a_specialist_who_keys_nothing_is_a_caller_like_any_other(tell: Tell) -> None:
    tell(caller="6111").until_heard(Prompt.MENU)


def test_an_order_somebody_has_at_this_moment_is_not_rung_twice(tell: Tell, ledger: FakeLedger) -> None:
    ledger.leases[ORDER] = object()  # type: ignore[assignment]
    story = specialist_rings(tell).finish()
    assert Prompt.ACCEPTED_BY_OTHER.value in story.slot.played(CALLER_LEG)
    assert not story.slot.legs_of(CALLER_NUMBER)
    ledger.leases.clear()


# -- an enterprise rings again ------------------------------------------------------------------------------------


def test_an_enterprise_with_an_open_order_is_put_through_to_the_unit_at_once(tell: Tell, ledger: FakeLedger) -> None:
    story = tell(phones={**ALL_BUSY, "6111": ACCEPTS}).run(20)
    assert story.slot.joined_now() == {CALLER_LEG, *story.slot.legs_of("6111")}
    assert not story.slot.legs_of("8001")
    story.slot.end(story.slot.legs_of("6111")[0])
    story.until_heard(Prompt.SURVEY_LEVEL).finish()
    attempt = attempt_of(ledger)
    assert (attempt.outcome, attempt.by) == (Came.REACHED, "enterprise")
    assert ledger.known[ORDER].state is OrderState.REACHED
    assert (story.record.outcome, story.record.transfer) == (CallOutcome.SERVED, TransferResult.ACCEPTED)


def test_a_long_talk_keeps_its_order(tell: Tell, ledger: FakeLedger) -> None:
    renewals: list[float] = []
    story = tell(phones={"6111": ACCEPTS})

    async def renew(lease: object) -> bool:
        renewals.append(story.time.seconds())
        return True

    ledger.renew = renew  # type: ignore[method-assign]
    story.run(120)
    assert len(renewals) >= 10
    story.end_everything().finish()
    before = len(renewals)
    story.run(60)
    assert len(renewals) == before


def test_an_enterprise_whose_unit_does_not_accept_hears_state_and_deadline(tell: Tell, ledger: FakeLedger) -> None:
    story = tell(phones=ALL_BUSY).until_heard(Prompt.CALLBACK_ORDER_STATE).finish()
    heard = story.slot.played(CALLER_LEG)
    assert heard.index(Prompt.NOBODY_AVAILABLE.value) < heard.index(Prompt.CALLBACK_ORDER_STATE.value)
    assert attempt_of(ledger).outcome is Came.UNIT_BUSY
    assert story.record.outcome is CallOutcome.ORDER
    assert not ledger.drafts


def test_an_enterprise_that_hangs_up_while_the_unit_rings_opens_no_second_order(
    tell: Tell, ledger: FakeLedger
) -> None:
    story = tell(phones={"6111": Behaviour(answers_after_s=None), "6112": BUSY}).run(10).caller_hangs_up().finish()
    assert not story.slot.live
    assert not ledger.drafts
    assert attempt_of(ledger).outcome is Came.CALLED_OFF
    assert ledger.known[ORDER].state is OrderState.NOT_REACHED


def test_while_the_unit_is_ringing_back_the_enterprise_is_told_so(tell: Tell, ledger: FakeLedger) -> None:
    ledger.owe(state=OrderState.CALLING_BACK)
    ledger.leases[ORDER] = object()  # type: ignore[assignment]
    story = tell(phones={"6111": ACCEPTS}).until_heard(Prompt.CALLBACK_ORDER_STATE)
    assert not story.slot.legs_of("6111")
    ledger.leases.clear()


def test_key_zero_leads_to_the_menu_for_another_matter(tell: Tell, ledger: FakeLedger) -> None:
    story = tell(phones={"8001": ACCEPTS}).until_heard(Prompt.CALLBACK_OPEN_ORDER).caller_presses("0")
    story.until_heard(Prompt.MENU).caller_presses("0").run(6)
    assert story.slot.legs_of("8001")
    assert not ledger.known[ORDER].attempts


def test_out_of_hours_a_known_enterprise_leaves_a_request_as_always(tell: Tell, ledger: FakeLedger) -> None:
    tell(at=EVENING).until_heard(Prompt.MENU_CLOSED)
    assert not ledger.known[ORDER].attempts


def test_with_redis_away_the_line_answers_as_if_it_knew_nobody(tell: Tell, ledger: FakeLedger) -> None:
    ledger.is_away = True
    tell().until_heard(Prompt.MENU)
    ledger.is_away = False


def test_nobody_waits_in_silence_for_redis_to_come_back_and_the_talk_is_settled_then(
    tell: Tell, ledger: FakeLedger
) -> None:
    story = tell(phones={"6111": ACCEPTS}).run(20)
    ledger.is_away = True
    story.slot.end(story.slot.legs_of("6111")[0])
    story.until_heard(Prompt.SURVEY_LEVEL, timeout_s=3).finish()
    assert ledger.known[ORDER].state is OrderState.CALLING_BACK
    ledger.is_away = False
    story.run(6)
    assert ledger.known[ORDER].state is OrderState.REACHED


# -- what an enterprise may change --------------------------------------------------------------------------------


def order_menu(tell: Tell, keys: str, **options: object) -> Story:
    story = tell(**options).until_heard(Prompt.CALLBACK_OPEN_ORDER).caller_presses("1")
    return story.until_heard(Prompt.CALLBACK_ORDER_MENU).caller_presses(keys)


def test_a_message_is_added_to_the_order(tell: Tell, ledger: FakeLedger) -> None:
    story = order_menu(tell, "1").until_heard(Prompt.BEEP).run(8).caller_presses("#")
    story.until_heard(Prompt.MESSAGE_REVIEW).caller_presses("1").until_heard(Prompt.CALLBACK_ORDER_MENU)
    (message,) = ledger.known[ORDER].messages
    assert message.endswith(".wav")
    assert ledger.notes("message_added")[0]["who"] == "caller"


def test_a_caller_who_hangs_up_in_his_message_has_still_said_something(tell: Tell, ledger: FakeLedger) -> None:
    order_menu(tell, "1").until_heard(Prompt.BEEP).run(8).caller_hangs_up().finish()
    assert len(ledger.known[ORDER].messages) == 1
    assert not ledger.drafts


def test_the_number_to_ring_back_is_changed_after_it_was_read_back(tell: Tell, ledger: FakeLedger) -> None:
    story = order_menu(tell, "2").until_heard(Prompt.ASK_NUMBER_OWN).caller_presses("2")
    story.until_heard(Prompt.ASK_NUMBER_KEYS).caller_presses("02162524455#")
    story.until_heard(Prompt.NUMBER_READ_BACK).caller_presses("1").until_heard(Prompt.NUMBER_KEPT)
    assert ledger.known[ORDER].callback_number == "02162524455"
    assert len(ledger.notes("number_changed")) == 1
    read_back, kept = (sent(m.Play, files=(prompt.value,)) for prompt in (Prompt.NUMBER_READ_BACK, Prompt.NUMBER_KEPT))
    changed = story.log.first(written("order_noted", note="number_changed"))
    assert story.log.first(read_back) < changed < story.log.first(kept)


def test_a_preferred_time_does_not_move_the_deadline(tell: Tell, ledger: FakeLedger) -> None:
    due_at = ledger.known[ORDER].due_at
    story = order_menu(tell, "3").until_heard(Prompt.CALLBACK_ASK_TIME).caller_presses("1430").run(3)
    noted = sent(m.Play, files=(Prompt.CALLBACK_TIME_NOTED.value,))
    assert story.log.first(written("order_noted", note="preferred_time")) < story.log.first(noted)
    assert ledger.known[ORDER].preferred_at == datetime(2026, 3, 10, 14, 30, tzinfo=SHANGHAI)
    assert ledger.known[ORDER].due_at == due_at


def test_a_time_out_of_hours_is_not_taken(tell: Tell, ledger: FakeLedger) -> None:
    order_menu(tell, "3").until_heard(Prompt.CALLBACK_ASK_TIME).caller_presses("2200")
    assert ledger.known[ORDER].preferred_at is None


@pytest.mark.parametrize(
    ("keyed", "then"),
    [("1030", "03-11 10:30"), ("1031", "03-10 10:31"), ("0859", None), ("2560", None), ("93", None), ("", None)],
)
def test_the_next_open_moment_of_a_keyed_time(tell: Tell, site: Site, keyed: str, then: str | None) -> None:
    office = Office(site.settings, site.directory, site.calendar, site.hours, tell().clock)
    found = next_open(office, keyed, MORNING)
    assert (found and f"{found:%m-%d %H:%M}") == then


def test_star_in_the_menu_leads_to_an_order_by_its_number(tell: Tell, ledger: FakeLedger) -> None:
    story = tell(caller="13800138000").until_heard(Prompt.MENU).caller_presses("*")
    story.until_heard(Prompt.CALLBACK_ASK_ORDER).caller_presses(ORDER + "#")
    story.until_heard(Prompt.CALLBACK_ASK_LAST_FOUR).caller_presses(CALLER_NUMBER[-4:])
    story.until_heard(Prompt.CALLBACK_ORDER_STATE).until_heard(Prompt.CALLBACK_NOTE_MENU).caller_presses("0")
    story.until_heard(Prompt.MENU)


def test_who_does_not_know_the_number_of_an_order_learns_nothing_of_it(tell: Tell) -> None:
    story = tell(caller="13800138000").until_heard(Prompt.MENU).caller_presses("*")
    story.until_heard(Prompt.CALLBACK_ASK_ORDER).caller_presses(ORDER + "#")
    story.until_heard(Prompt.CALLBACK_ASK_LAST_FOUR).caller_presses("0000").until_heard(Prompt.CALLBACK_UNKNOWN_ORDER)
    assert Prompt.CALLBACK_ORDER_STATE.value not in story.slot.played(CALLER_LEG)


def test_who_only_asked_for_the_state_of_his_order_opens_no_new_one(tell: Tell, ledger: FakeLedger) -> None:
    story = tell(at=EVENING).until_heard(Prompt.MENU_CLOSED).caller_presses("*")
    story.until_heard(Prompt.CALLBACK_ASK_ORDER).caller_presses(ORDER + "#")
    story.until_heard(Prompt.CALLBACK_ORDER_STATE).finish()
    assert Prompt.THANKS_GOODBYE.value in story.slot.played(CALLER_LEG)
    assert not ledger.drafts


def test_a_settled_order_is_told_and_not_changed(tell: Tell, ledger: FakeLedger) -> None:
    ledger.owe(state=OrderState.CLOSED)
    story = tell(at=EVENING).until_heard(Prompt.MENU_CLOSED).caller_presses("*")
    story.until_heard(Prompt.CALLBACK_ASK_ORDER).caller_presses(ORDER + "#")
    story.until_heard(Prompt.CALLBACK_ORDER_STATE).finish()
    assert not any(isinstance(command, m.Record) for command in story.slot.sent)


@pytest.mark.parametrize("seconds", range(0, 44, 4))
def test_whenever_a_known_caller_hangs_up_the_order_is_given_back(
    tell: Tell, ledger: FakeLedger, seconds: int
) -> None:
    story = tell(phones={"6111": ACCEPTS, "6112": BUSY}).run(seconds).caller_hangs_up().finish()
    assert not story.slot.live
    assert not ledger.drafts or not ledger.known[ORDER].attempts
    assert ledger.known[ORDER].state is not OrderState.CALLING_BACK
