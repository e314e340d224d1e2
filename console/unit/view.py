"""What a unit's pages show: its own orders by what presses most, where a callback is, the caller's message to hear."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from typing import Any

from callback_scheduler.orders.call_facts import cut_recordings
from callback_scheduler.orders.order import Attempt, Order
from callback_scheduler.orders.states import TRANSITIONS, OrderEvent, OrderState
from console.visit import Visit
from ivr.dispatch.stage import Stage
from routing.errors import UnknownMatter

_SOON = timedelta(hours=1)
# the way of a callback in the unit's own words, in order; keys of `unit.step`
STEPS = ("unit", "accept", "enterprise", "talk")
_STEP_OF_STAGE = {
    Stage.UNIT.value: "unit",
    Stage.UNIT_DECIDES.value: "accept",
    Stage.ENTERPRISE.value: "enterprise",
    Stage.WITH_SPECIALIST.value: "talk",
    Stage.TALK.value: "talk",
}


class Press(Enum):
    """How much an order presses."""

    LATE = "late"  # its time is over
    SOON = "soon"  # an hour is left, or less
    LATER = "later"
    WAITS = "waits"  # given back: another unit will have it


@dataclass(frozen=True, slots=True)
class Row:
    """One open order in the inbox; `act` is the one to do next: ring_back, acknowledge, look."""

    order: Order
    matter: str
    press: Press
    left_s: float
    act: str


@dataclass(frozen=True, slots=True)
class Message:
    """A recording the unit may hear; `key` names it in addresses."""

    key: str
    path: str
    at: datetime | None
    is_talk: bool
    is_cut: bool


def may(order: Order, event: OrderEvent) -> bool:
    """Whether something can happen to an order now."""
    return (order.state, event) in TRANSITIONS


def rows(visit: Visit, orders: list[Order]) -> list[Row]:
    """Return open orders: earliest deadline first, those given back at the end."""
    at = visit.now()
    open_rows = [_row(visit, order, at) for order in orders if order.state.is_open]
    return sorted(open_rows, key=lambda row: (row.press is Press.WAITS, row.order.due_at, row.order.order_id))


def _row(visit: Visit, order: Order, at: datetime) -> Row:
    left = order.due_at - at
    if order.state is OrderState.RETURNED:
        press = Press.WAITS
    elif left <= timedelta(0):
        press = Press.LATE
    else:
        press = Press.SOON if left <= _SOON else Press.LATER
    return Row(order, matter_name(visit, order), press, left.total_seconds(), _act(order, press))


def _act(order: Order, press: Press) -> str:
    is_new = order.state in (OrderState.OPENED, OrderState.SENT)
    if is_new and press is Press.LATER:
        return "acknowledge"
    can_ring = may(order, OrderEvent.ATTEMPT_BEGUN) and bool(order.callback_number)
    return "ring_back" if can_ring and order.state is not OrderState.SELF_REPORTED else "look"


def matter_name(visit: Visit, order: Order) -> str:
    """Return what an order is about, in words."""
    try:
        return str(visit.operations.directory.matter(order.matter_id).name)
    except UnknownMatter:
        return order.matter_id


def step_now(visit: Visit, order: Order) -> str:
    """Return where the callback of an order is: one of STEPS, "" before the first phone rings, or if none runs."""
    calls = visit.operations.status()["calls"]
    stages = [call["stage"] for call in calls if order.order_id in call["orders"]]
    return next((step for stage in stages if (step := _STEP_OF_STAGE.get(stage))), "")


def messages(order: Order, calls: list[dict[str, Any]]) -> list[Message]:
    """Return what the caller left, and the talks of this unit about the order; those of other units are not its own."""
    by_path: dict[str, Message] = {}
    cut = cut_recordings(calls)

    def add(path: str, at: datetime | None, *, is_talk: bool = False) -> None:
        if path and path not in by_path:
            by_path[path] = Message(sha256(path.encode()).hexdigest()[:16], path, at, is_talk, path in cut)

    add(order.message_path, order.opened_at)
    for merged in order.merged_calls:
        add(merged.message_path, merged.opened_at)
    for path in order.messages:
        add(path, None)
    for attempt in own_attempts(order, calls):
        if attempt.evidence is not None:
            add(attempt.evidence.recording, attempt.evidence.talk_began_at or attempt.begun_at, is_talk=True)
    return list(by_path.values())


def own_attempts(order: Order, calls: list[dict[str, Any]]) -> list[Attempt]:
    """Return the attempts of the unit that has the order now, oldest first: none that was another unit's."""
    if not order.units_before:
        return list(order.attempts)
    unit_of = {call["call_id"]: call.get("unit_id", "") for call in calls}
    return [
        attempt
        for attempt in order.attempts
        if attempt.evidence is not None and unit_of.get(attempt.evidence.call_id) == order.unit_id
    ]
