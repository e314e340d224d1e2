"""The life of an order: its table, and what is not in it."""

from __future__ import annotations

import pytest

from callback_scheduler.errors import IllegalTransition
from callback_scheduler.order_states import TRANSITIONS, OrderEvent, OrderState, next_state


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
