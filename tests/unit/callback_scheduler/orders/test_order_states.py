"""The life of an order: its table, and what is not in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callback_scheduler.errors import IllegalTransition
from callback_scheduler.orders import diagram
from callback_scheduler.orders.states import TRANSITIONS, OrderEvent, OrderState, next_state


def test_an_order_that_is_kept_goes_from_opened_to_closed() -> None:
    state = OrderState.OPENED
    for event in (
        OrderEvent.SENT,
        OrderEvent.ACKNOWLEDGED,
        OrderEvent.ATTEMPT_BEGUN,
        OrderEvent.ATTEMPT_FAILED,
        OrderEvent.ATTEMPT_BEGUN,
        OrderEvent.REACHED,
        OrderEvent.CLOSED,
    ):
        state = next_state(state, event)
    assert state is OrderState.CLOSED


def test_an_event_that_is_not_in_the_table_raises_and_tells_what_is_possible() -> None:
    with pytest.raises(IllegalTransition, match="closed cannot be returned; possible: reopened"):
        next_state(OrderState.CLOSED, OrderEvent.RETURNED)
    with pytest.raises(IllegalTransition, match="possible: nothing"):
        next_state(OrderState.MERGED, OrderEvent.SENT)


def test_every_missing_pair_raises() -> None:
    for state in OrderState:
        for event in OrderEvent:
            if (state, event) not in TRANSITIONS:
                with pytest.raises(IllegalTransition):
                    next_state(state, event)


def test_every_state_can_be_reached_and_every_open_one_can_still_be_settled() -> None:
    def reachable(start: OrderState) -> set[OrderState]:
        found = {start}
        while True:
            more = {after for (before, _), after in TRANSITIONS.items() if before in found} - found
            if not more:
                return found
            found |= more

    assert reachable(OrderState.OPENED) == set(OrderState)
    for state in OrderState:
        assert not state.is_open or OrderState.CLOSED in reachable(state)


def test_a_returned_or_reassigned_order_is_still_owed() -> None:
    for (before, event), after in TRANSITIONS.items():
        if event in {OrderEvent.RETURNED, OrderEvent.REASSIGNED}:
            assert before.is_open
            assert after.is_open


def test_nobody_takes_an_order_away_while_phones_ring() -> None:
    possible = {event for state, event in TRANSITIONS if state is OrderState.CALLING_BACK}
    assert possible == {
        OrderEvent.REACHED, OrderEvent.ATTEMPT_FAILED, OrderEvent.ACKNOWLEDGED, OrderEvent.SELF_REPORTED,
    }
    assert next_state(OrderState.CALLING_BACK, OrderEvent.SELF_REPORTED) is OrderState.CALLING_BACK


def test_acknowledging_again_takes_nothing_back() -> None:
    for state in (OrderState.ACKNOWLEDGED, OrderState.CALLING_BACK, OrderState.NOT_REACHED, OrderState.SELF_REPORTED):
        assert next_state(state, OrderEvent.ACKNOWLEDGED) is state


def test_the_page_about_the_life_of_an_order_is_drawn_from_the_table() -> None:
    page = (Path(__file__).parents[4] / "docs" / "order-life.md").read_text(encoding="utf-8")
    assert page == diagram.document(), "run: python -m callback_scheduler.orders.diagram > docs/order-life.md"
    drawn = re.findall(r"^    (\w+) --> (\w+): (\w+) ", page, flags=re.MULTILINE)
    assert {((OrderState(before), OrderEvent(event)), OrderState(after)) for before, after, event in drawn} == set(
        TRANSITIONS.items()
    )
