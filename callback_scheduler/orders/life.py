"""What happens to an order: the changes each event brings along, and the payloads that tell of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from callback_scheduler.errors import NotProved
from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.evidence import proves
from callback_scheduler.orders.fields import attempt_fields, change_fields
from callback_scheduler.orders.order import Attempt, Order
from callback_scheduler.orders.states import OrderEvent, OrderState, next_state

# Design rule 19.
_DEADLINE_STAYS = {OrderEvent.RETURNED, OrderEvent.REASSIGNED}


def changed(
    order: Order,
    event: OrderEvent,
    *,
    who: Actor | str,
    why: str,
    changes: Mapping[str, Any] | None,
    attempt: Attempt | None,
    at: datetime,
) -> dict[str, Any]:
    """Return the payload of `order_changed`, without node and epoch.

    What an event says by itself (who acknowledged, when it was closed) is filled in; `changes` goes before it.
    Raises IllegalTransition, NotProved, or ValueError for a field that no event may change.
    """
    state = next_state(order.state, event)
    if event is OrderEvent.REACHED and (attempt is None or not proves(attempt.evidence)):
        raise NotProved(f"order {order.order_id} is not reached: the unit's key, the answer or 10 s of talk is missing")
    if event in _DEADLINE_STAYS and changes and not changes.keys().isdisjoint({"deadline", "due_at"}):
        raise ValueError(f"a deadline does not move when an order is {event.value}: the enterprise was promised a time")
    implied = _IMPLIED.get(event, _nothing)(order, str(who), why, at)
    if attempt is not None and attempt.evidence is not None and event is OrderEvent.REACHED:
        implied = {"reached_at": order.reached_at or attempt.evidence.talk_began_at}  # 首次接通时间: the first counts
    payload = noted(order, who=who, why=why, changes=implied | dict(changes or {}), attempt=attempt)
    return payload | {
        "event": event.value,
        "state_from": order.state.value,
        "state_to": state.value,
        "is_open": state.is_open,
    }


def noted(
    order: Order, *, who: Actor | str, why: str, changes: Mapping[str, Any] | None, attempt: Attempt | None
) -> dict[str, Any]:
    """Return the payload of `order_noted`, without note, node and epoch; ValueError as above."""
    payload: dict[str, Any] = {"order_id": order.order_id, "version_from": order.version, "who": str(who), "why": why}
    payload["changes"] = change_fields(changes or {})
    if attempt is not None:
        payload["attempt"] = attempt_fields(attempt)
    return payload


# -- what an event changes by its nature ------------------------------------------------------------------------------

_Changes = dict[str, Any]
# What a unit typed (已联系) belongs to that unit, and to the time before somebody looked again; the timeline keeps it.
_NO_CLAIM: _Changes = dict.fromkeys(("self_reported_at", "self_reported_by", "self_report"))


def _nothing(order: Order, who: str, why: str, at: datetime) -> _Changes:
    return {}


def _sent(order: Order, who: str, why: str, at: datetime) -> _Changes:
    return {"sent_at": at}


def _acknowledged(order: Order, who: str, why: str, at: datetime) -> _Changes:
    return {"acknowledged_at": at, "acknowledged_by": who}


def _self_reported(order: Order, who: str, why: str, at: datetime) -> _Changes:
    return {"self_reported_at": at, "self_reported_by": who, "self_report": why}


def _returned(order: Order, who: str, why: str, at: datetime) -> _Changes:
    return {"return_reason": why, "returns": order.returns + 1} | _NO_CLAIM


def _reassigned(order: Order, who: str, why: str, at: datetime) -> _Changes:
    # The new unit has acknowledged and promised nothing yet; of the deadline nothing is said here (design rule 19).
    forgotten = dict.fromkeys(("acknowledged_at", "acknowledged_by", "promised_at", "promised_by"))
    is_sent = next_state(order.state, OrderEvent.REASSIGNED) is OrderState.SENT
    return forgotten | _NO_CLAIM | ({"sent_at": at} if is_sent else {})


def _closed(order: Order, who: str, why: str, at: datetime) -> _Changes:
    return {"closed_at": at}


def _reopened(order: Order, who: str, why: str, at: datetime) -> _Changes:
    return {"closed_at": None} | _NO_CLAIM


_IMPLIED: dict[OrderEvent, Callable[[Order, str, str, datetime], _Changes]] = {
    OrderEvent.SENT: _sent,
    OrderEvent.ACKNOWLEDGED: _acknowledged,
    OrderEvent.SELF_REPORTED: _self_reported,
    OrderEvent.RETURNED: _returned,
    OrderEvent.REASSIGNED: _reassigned,
    OrderEvent.CLOSED: _closed,
    OrderEvent.REOPENED: _reopened,
}
