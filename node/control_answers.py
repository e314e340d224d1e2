"""What an operator's socket may ask about calls and seats: the operations, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from node.operations.calls import CallOperations


def call_answerers(calls: CallOperations) -> dict[str, Callable[..., Awaitable[Any]]]:
    """Return the questions of an operator; the answer to `test_dial` comes when all phones have been rung."""

    async def seats() -> list[dict[str, Any]]:
        return calls.seats()

    async def seat_call(number: str) -> dict[str, Any] | None:
        found = await calls.seat_call(number)
        if found is not None and found["open_orders"] is not None:
            found["open_orders"] = [order.order_id for order in found["open_orders"]]
        return found

    return {
        "seats": seats,
        "seat_call": seat_call,
        "transfer": calls.transfer,
        "hold": calls.hold,
        "drop": calls.drop,
        "leave": calls.leave,
        "wrap_up": calls.wrap_up,
        "set_seat_state": calls.set_seat_state,
        "supervise": calls.supervise,
        "change_supervision": calls.change_supervision,
        "stop_supervision": calls.stop_supervision,
        "test_dial": calls.test_dial,
    }
