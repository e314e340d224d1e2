"""What a supervisor may do with an order in its state, as the table of states has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import TRANSITIONS, OrderEvent
from node.operations.interfaces import Orders

Do = Callable[[Orders, str, str, str, Actor], Awaitable[Order]]


@dataclass(frozen=True, slots=True)
class Act:
    """One act: `needs_why` a text goes with it, `needs_unit` another unit, `needs_number` one to ring; `event` is what
    the table must allow.

    The text of one that `may_overrule` is not needed: it is the reason to ring against hours, pauses and daily caps.
    """

    name: str
    do: Do  # of the operations on orders, order_id, text, unit_id (or number), who
    event: OrderEvent | None
    needs_why: bool = False
    needs_unit: bool = False
    needs_number: bool = False
    is_dangerous: bool = False
    may_overrule: bool = False

    def is_possible(self, order: Order) -> bool:
        """Whether the state of an order allows it; the node has the last word."""
        if self.name == "rejudge":
            return order.overdue_at is not None
        if self.event is None:
            return order.state.is_open or self.name == "answer"
        return (order.state, self.event) in TRANSITIONS


_E = OrderEvent
ACTS = {
    act.name: act
    for act in (
        Act("ring", lambda orders, one, why, unit, who: orders.ring_unit_now(one, who, why), _E.ATTEMPT_BEGUN,
            may_overrule=True),
        Act("remind", lambda orders, one, why, unit, who: orders.remind_leader(one, who, why), None,
            may_overrule=True),
        Act("reassign", lambda orders, one, why, unit, who: orders.reassign(one, unit, why, who), _E.REASSIGNED,
            needs_why=True, needs_unit=True),
        Act("number", lambda orders, one, why, number, who: orders.set_number(one, number, why, who), None,
            needs_why=True, needs_number=True),
        Act("acknowledge", lambda orders, one, why, unit, who: orders.acknowledge(one, who), _E.ACKNOWLEDGED),
        Act("answer", lambda orders, one, why, unit, who: orders.write_answer(one, why, who), None, needs_why=True),
        Act("close", lambda orders, one, why, unit, who: orders.close(one, why, who), _E.CLOSED, needs_why=True,
            is_dangerous=True),
        Act("rejudge", lambda orders, one, why, unit, who: orders.rejudge(one, why, who), None, needs_why=True),
        Act("reopen", lambda orders, one, why, unit, who: orders.reopen(one, why, who), _E.REOPENED, needs_why=True),
    )
}  # fmt: skip


def possible(order: Order) -> list[Act]:
    """Return the acts that the state of an order allows, those that help a callback first."""
    return [act for act in ACTS.values() if act.is_possible(order)]
