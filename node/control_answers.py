"""What an operator's socket may ask about calls and seats: the operations, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from node.operations.operations import NodeOperations


def call_answerers(operations: NodeOperations) -> dict[str, Callable[..., Awaitable[Any]]]:
    """Return the questions of an operator; the answer to `test_dial` comes when all phones have been rung."""

    async def seats() -> list[dict[str, Any]]:
        return operations.seats.statuses()

    async def seat_call(number: str) -> dict[str, Any] | None:
        found = await operations.call_view.seat_call(number)
        if found is not None and found["open_orders"] is not None:
            found["open_orders"] = [order.order_id for order in found["open_orders"]]
        return found

    return {
        "seats": seats,
        "seat_call": seat_call,
        "transfer": operations.calls.transfer,
        "hold": operations.calls.hold,
        "drop": operations.calls.drop,
        "leave": operations.calls.leave,
        "wrap_up": operations.seats.wrap_up,
        "set_seat_state": operations.seats.set_seat_state,
        "supervise": operations.supervision.begin,
        "change_supervision": operations.supervision.change,
        "stop_supervision": operations.supervision.stop,
        "test_dial": operations.number_check.run,
    }
