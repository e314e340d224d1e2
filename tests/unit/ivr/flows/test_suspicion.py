"""Who may change what by phone, and which orders wait for a person: callers who guess, move and bomb."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import ensureDeferred

import config
from callback_scheduler.orders.holds import Hold
from callback_scheduler.orders.order import OpenedOrder, OrderDraft, OrderKind
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.request import Request
from ivr.calls.tallies import Tallies, Tally
from ivr.pool.pool import LineDied
from ivr.speech.prompts import Prompt
from routing.clock import MovableClock
from routing.site import Site, load_site
from tests.fakes.ledger import CALLER_NUMBER, EVENING, FakeLedger, an_order
from tests.fakes.line import CALLER_LEG, MORNING, Story

ORDER = "26031010001"
STRANGER = "13800138000"
BOMBER = "13500000001"
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

    def begin(at: datetime = MORNING, **options: Any) -> Story:
        stories.append(Story(site, tmp_path, at, {}, ledger=ledger, **options))
        return stories[-1]

    yield begin
    for story in stories:
        if not story.done.called:
            story.end_everything().finish()


def looks_up(tell: Tell, *, caller: str = STRANGER, is_trusted: bool = True, keys: str = ORDER + "#") -> Story:
    story = tell(caller=caller)
    story.call.is_caller_trusted = is_trusted
    story.until_heard(Prompt.MENU).caller_presses("*")
    return story.until_heard(Prompt.CALLBACK_ASK_ORDER).caller_presses(keys)


# -- from another phone -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["2", "3"])
def test_an_order_number_and_four_digits_move_nobodys_callback(tell: Tell, ledger: FakeLedger, key: str) -> None:
    story = looks_up(tell).until_heard(Prompt.CALLBACK_ASK_LAST_FOUR).caller_presses(CALLER_NUMBER[-4:])
    story.until_heard(Prompt.CALLBACK_NOTE_MENU).caller_presses(key).run(20)
    heard = story.slot.played(CALLER_LEG)
    assert Prompt.ASK_NUMBER_OWN.value not in heard
    assert Prompt.CALLBACK_ASK_TIME.value not in heard
    assert not ledger.notes("number_changed")
    assert not ledger.notes("preferred_time")
    assert (ledger.known[ORDER].callback_number, ledger.known[ORDER].preferred_at) == (CALLER_NUMBER, None)


def test_they_may_leave_a_note_for_the_unit(tell: Tell, ledger: FakeLedger) -> None:
    story = looks_up(tell).until_heard(Prompt.CALLBACK_ASK_LAST_FOUR).caller_presses(CALLER_NUMBER[-4:])
    story.until_heard(Prompt.CALLBACK_NOTE_MENU).caller_presses("1")
    story.until_heard(Prompt.BEEP).run(8).caller_presses("#")
    story.until_heard(Prompt.MESSAGE_REVIEW).caller_presses("1").until_heard(Prompt.CALLBACK_NOTE_MENU)
    assert len(ledger.known[ORDER].messages) == 1


def test_the_number_a_trunk_does_not_answer_for_opens_nothing(tell: Tell, ledger: FakeLedger) -> None:
    story = looks_up(tell, caller=CALLER_NUMBER, is_trusted=False)
    story.until_heard(Prompt.CALLBACK_ASK_LAST_FOUR).caller_presses(CALLER_NUMBER[-4:])
    story.until_heard(Prompt.CALLBACK_NOTE_MENU)
    assert Prompt.CALLBACK_ORDER_MENU.value not in story.slot.played(CALLER_LEG)


def test_nor_is_one_who_shows_a_specialists_number_there_a_specialist(tell: Tell) -> None:
    story = tell(caller="6111")
    story.call.is_caller_trusted = False
    story.until_heard(Prompt.MENU)


@pytest.mark.parametrize("caller", [CALLER_NUMBER, f"+86{CALLER_NUMBER}"])
def test_from_its_own_phone_an_order_is_changed(tell: Tell, caller: str) -> None:
    story = tell(at=EVENING, caller=caller).until_heard(Prompt.MENU_CLOSED).caller_presses("*")
    story.until_heard(Prompt.CALLBACK_ASK_ORDER).caller_presses(ORDER + "#").until_heard(Prompt.CALLBACK_ORDER_MENU)


def test_who_guesses_at_numbers_of_orders_is_stopped_for_an_hour(tell: Tell, site: Site, ledger: FakeLedger) -> None:
    story = tell(caller=STRANGER)
    orders = story.orders
    for _ in range(9):
        orders.tallies.note(Tally.WRONG_ORDER, STRANGER, MORNING)
    story.until_heard(Prompt.MENU).caller_presses("*").until_heard(Prompt.TOO_MANY_TRIES)
    assert Prompt.CALLBACK_ASK_ORDER.value not in story.slot.played(CALLER_LEG)


def test_each_wrong_number_counts_and_the_right_one_does_not(tell: Tell) -> None:
    story = looks_up(tell, keys="26031019999#").until_heard(Prompt.CALLBACK_UNKNOWN_ORDER)
    tallies = story.orders.tallies
    assert tallies.is_full(Tally.WRONG_ORDER, STRANGER, 1, story.clock.now())
    assert not tallies.is_full(Tally.WRONG_ORDER, STRANGER, 2, story.clock.now())
    assert not tallies.is_full(Tally.WRONG_ORDER, STRANGER, 1, story.clock.now() + timedelta(hours=1))


def test_all_who_show_no_number_count_as_one_and_have_more_room() -> None:
    tallies = Tallies()
    for caller in ("", "anonymous", "Restricted"):
        tallies.note(Tally.ORDER, caller, MORNING)
    assert not tallies.is_full(Tally.ORDER, "anonymous", 1, MORNING)
    for _ in range(7):
        tallies.note(Tally.ORDER, "unavailable", MORNING)
    assert tallies.is_full(Tally.ORDER, "anonymous", 1, MORNING)


# -- orders that wait for a person ------------------------------------------------------------------------------------


class Desk:
    """Orders as calls leave them, one after the other."""

    def __init__(self, site: Site) -> None:
        self.ledger = Shelf()
        self.clock = MovableClock(EVENING)
        self.office = Office(site.settings, site.directory, site.calendar, site.hours, self.clock)
        self.orders = self.anew()

    def anew(self) -> Orders:
        """Return the orders as a node that was started again, or another one, has them: it has counted nothing."""
        return Orders(self.ledger, self.office)  # type: ignore[arg-type]

    def leave(self, caller: str, number: str, kind: OrderKind = OrderKind.AFTER_HOURS, at: datetime = EVENING) -> str:
        """Let a caller leave an order; return why it waits."""
        request = Request(caller, number, "tax", "tax", was_closed=True)
        ensureDeferred(self.orders.open_request(request, "c", kind, at))
        return self.ledger.drafts[-1].hold_reason


class Shelf(FakeLedger):
    """A ledger that knows what was left."""

    async def open_order(self, draft: OrderDraft) -> OpenedOrder:
        opened = await super().open_order(draft)
        self.owe(
            order_id=opened.order_id, caller_number=draft.caller_number, callback_number=draft.callback_number,
            opened_at=draft.opened_at, hold_reason=draft.hold_reason,
        )  # fmt: skip
        return opened


@pytest.fixture
def desk(site: Site) -> Desk:
    return Desk(site)


def test_one_caller_does_not_have_ten_strangers_rung(desk: Desk) -> None:
    holds = [desk.leave(BOMBER, f"1370555{n:04}") for n in range(10)]
    assert holds == [""] * 5 + [Hold.OTHER_NUMBERS.value] * 5
    assert len(desk.ledger.drafts) == 10, "each is kept"


def test_nor_after_a_restart_or_at_another_node(desk: Desk) -> None:
    for n in range(5):
        desk.leave(BOMBER, f"1370555{n:04}")
    desk.orders = desk.anew()
    assert desk.leave(BOMBER, "13705559999") == Hold.OTHER_NUMBERS.value


def test_their_own_number_is_dialled_all_the_same_and_so_is_the_next_hours(desk: Desk) -> None:
    for n in range(6):
        desk.leave(BOMBER, f"1370555{n:04}")
    assert desk.leave(BOMBER, BOMBER) == ""
    assert desk.leave(BOMBER, "13705559999", at=EVENING + timedelta(minutes=61)) == ""


def test_many_callers_do_not_have_one_stranger_rung_all_morning(desk: Desk) -> None:
    holds = [desk.leave(f"1360000{n:04}", "13705550000") for n in range(7)]
    assert holds == [""] * 5 + [Hold.TARGET.value] * 2
    assert desk.leave("13705550000", "13705550000") == "", "who owns the number is rung back"


def test_an_office_exchange_may_leave_twenty_orders_to_ring_itself(desk: Desk) -> None:
    holds = [desk.leave("02162524455", "02162524455") for _ in range(22)]
    assert holds == [""] * 20 + [Hold.CALLER.value] * 2


def test_a_chat_is_bounded_by_the_number_it_gives(desk: Desk) -> None:
    holds = [desk.leave("13705550000", "13705550000", OrderKind.ONLINE) for _ in range(6)]
    assert holds == [""] * 5 + [Hold.TARGET.value]


def test_while_redis_is_away_orders_are_kept_and_counted_by_this_node(desk: Desk) -> None:
    desk.ledger.is_away = True
    holds = [desk.leave(BOMBER, f"1370555{n:04}") for n in range(6)]
    assert holds == [""] * 5 + [Hold.OTHER_NUMBERS.value]


def test_a_changed_number_counts_as_one_more_and_there_is_an_end_to_changing(tell: Tell, ledger: FakeLedger) -> None:
    story = tell()
    orders = story.orders
    order = ledger.known[ORDER]
    for n in range(5):
        assert orders.may_change_number(story.call)
        ensureDeferred(orders.change_number(story.call, order, f"1370555{n:04}"))
        story.run(0.2)
        assert ledger.known[ORDER].hold_reason == ""
    assert not orders.may_change_number(story.call)
    ensureDeferred(orders.change_number(story.call, order, "13705559999"))
    story.run(0.2)
    assert ledger.known[ORDER].hold_reason == Hold.OTHER_NUMBERS.value
    ensureDeferred(orders.change_number(story.call, order, CALLER_NUMBER))
    story.run(0.2)
    assert ledger.known[ORDER].hold_reason == "", "its own number is its own"


def test_the_owner_of_a_number_who_rings_lets_a_held_order_go_on(site: Site) -> None:
    desk = Desk(site)
    held = an_order(caller_number=BOMBER, callback_number=CALLER_NUMBER, hold_reason=Hold.NOT_THEIRS.value)
    desk.ledger.known[held.order_id] = held

    async def merged(draft: OrderDraft) -> OpenedOrder:
        return OpenedOrder(held.order_id, True, held.due_at, False)

    desk.ledger.open_order = merged  # type: ignore[method-assign]
    request = Request(BOMBER, CALLER_NUMBER, "tax", "tax", was_closed=True)
    ensureDeferred(desk.orders.open_request(request, "c", OrderKind.AFTER_HOURS, EVENING))
    assert desk.ledger.known[held.order_id].hold_reason == Hold.NOT_THEIRS.value
    request = Request(CALLER_NUMBER, CALLER_NUMBER, "tax", "tax", was_closed=True)
    ensureDeferred(desk.orders.open_request(request, "c", OrderKind.AFTER_HOURS, EVENING))
    assert desk.ledger.known[held.order_id].hold_reason == ""


def test_a_call_that_nobody_confirmed_leaves_an_order_that_waits_for_a_person(tell: Tell, ledger: FakeLedger) -> None:
    story = tell(at=EVENING)
    story.slot._answer = lambda command: None  # type: ignore[method-assign]  # no ACK, so the line never says answered
    story.run(9).caller_hangs_up().finish()
    assert [draft.hold_reason for draft in ledger.drafts] == [Hold.UNHEARD.value]


def test_one_whose_line_died_before_it_was_answered_is_rung_back(tell: Tell, ledger: FakeLedger) -> None:
    story = tell(at=EVENING)
    story.slot._answer = lambda command: None  # type: ignore[method-assign]
    story.run(1)
    story.slot.die(LineDied(1, 5999))
    story.finish()
    assert [draft.hold_reason for draft in ledger.drafts] == [""]
