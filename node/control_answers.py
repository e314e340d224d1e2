"""What an operator's socket may ask: the operations, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.notices.notices import Notices
from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import Order
from node.operations.interfaces import Operations, Wish
from node.operations.operations import order_fields
from routing.clock import Clock, MovableClock

log = structlog.get_logger()

Answerer = Callable[..., Awaitable[Any]]


def answerers(
    operations: Operations, ledger: Ledger, notices: Notices, clock: Clock, clock_was_set: Callable[[], None]
) -> dict[str, Answerer]:
    """Return all questions of an operator; keyword arguments are those of the verbs.

    `clock_was_set` is told when a clock that moves was set on purpose.
    """
    return {
        **_of_the_node(operations, ledger, notices, clock, clock_was_set),
        **_of_orders(operations),
        **_of_calls(operations),
        **_of_the_site(operations),
    }


def _of_the_node(
    operations: Operations, ledger: Ledger, notices: Notices, clock: Clock, clock_was_set: Callable[[], None]
) -> dict[str, Answerer]:
    async def status() -> dict[str, Any]:
        return operations.status()

    async def list_notices() -> dict[str, Any]:
        return {"receivers": notices.status(), "dead_letters": notices.dead_letters()}

    async def set_clock(at: str, as_jump: bool = False) -> str:
        if not isinstance(clock, MovableClock):
            raise PermissionError("the clock moves only in a rehearsal: start the service with --at")
        clock.set(datetime.fromisoformat(at))
        if not as_jump:  # else as a clock that jumped by itself, which nobody believes
            clock_was_set()
        log.warning("clock_set", at=at, as_jump=as_jump)
        return clock.now().isoformat()

    return {
        "status": status,
        "calls": lambda limit=20: operations.recent_calls(limit),
        "surveys": lambda limit=20: ledger.surveys(limit),
        "notices": list_notices,
        "retry_notice": notices.retry,
        "set_clock": set_clock,
        "orders": lambda limit=20: _list_orders(ledger, limit),
    }


async def _list_orders(ledger: Ledger, limit: int) -> list[dict[str, Any]]:
    return [order_fields(order) for order in await ledger.orders.latest(limit)]


def _of_orders(operations: Operations) -> dict[str, Answerer]:
    """Return the questions about orders; acts answer with the order as it is then."""
    orders = operations.orders

    def as_fields(act: Callable[..., Awaitable[Order]]) -> Answerer:
        by_actor = _by_actor(act)

        async def answer(**arguments: Any) -> dict[str, Any]:
            return order_fields(await by_actor(**arguments))

        return answer

    async def open_for_online(matter_id: str, number: str, text: str, wants: Wish, who: str) -> dict[str, Any]:
        return await operations.online.open_for_online(matter_id, number, text, wants, Actor.read(who))

    async def one(order_id: str) -> dict[str, Any] | None:
        order = await orders.one(order_id)
        return order_fields(order) if order else None

    return {
        "order": one,
        "order_events": orders.events,
        "acknowledge": as_fields(orders.acknowledge),
        "ring_back": as_fields(orders.ring_back),
        "set_number": as_fields(orders.set_number),
        "ring_unit_now": as_fields(orders.ring_unit_now),
        "remind_leader": as_fields(orders.remind_leader),
        "reassign": as_fields(orders.reassign),
        "give_back": as_fields(orders.give_back),
        "self_report": as_fields(orders.self_report),
        "write_answer": as_fields(orders.write_answer),
        "close_order": as_fields(orders.close),
        "reopen_order": as_fields(orders.reopen),
        "open_for_online": open_for_online,
    }


def _of_calls(operations: Operations) -> dict[str, Answerer]:
    """Return the questions about calls and seats; the answer to `test_dial` comes when all phones have been rung."""

    async def seats() -> list[dict[str, Any]]:
        return operations.seats.statuses()

    async def seat_call(number: str) -> dict[str, Any] | None:
        call = await operations.call_view.seat_call(number)
        if call is not None and call["open_orders"] is not None:
            call["open_orders"] = [order.order_id for order in call["open_orders"]]
        return call

    return {
        "seats": seats,
        "seat_call": seat_call,
        "transfer": _by_actor(operations.calls.transfer),
        "hold": _by_actor(operations.calls.hold),
        "drop": _by_actor(operations.calls.drop),
        "leave": _by_actor(operations.calls.leave),
        "wrap_up": _by_actor(operations.seats.wrap_up),
        "set_seat_state": _by_actor(operations.seats.set_seat_state),
        "supervise": _by_actor(operations.supervision.begin),
        "change_supervision": _by_actor(operations.supervision.change),
        "stop_supervision": _by_actor(operations.supervision.stop),
        "test_dial": _by_actor(operations.number_check.run),
    }


def _of_the_site(operations: Operations) -> dict[str, Answerer]:
    async def set_switch(state: str, reason: str, until: str, who: str) -> None:
        await operations.site.hours.set_switch(state, reason, datetime.fromisoformat(until), Actor.read(who))

    return {
        "set_switch": set_switch,
        "clear_switch": _by_actor(operations.site.hours.clear_switch),
        "site_changes": operations.site.changes.latest,
    }


def _by_actor(act: Answerer) -> Answerer:
    """Return an act as the socket asks for it: whoever acts is named by a text, as the journal keeps it."""

    async def answer(*, who: str, **arguments: Any) -> Any:
        return await act(**arguments, who=Actor.read(who))

    return answer
