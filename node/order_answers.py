"""What an operator's socket may ask about orders: the operations, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from callback_scheduler.orders.order import Order
from node.operations.operations import NodeOperations, order_fields

_ACTS = (
    "acknowledge", "ring_back", "ring_unit_now", "remind_leader", "reassign", "give_back", "self_report",
    "write_answer",
)  # fmt: skip


def order_answerers(operations: NodeOperations) -> dict[str, Callable[..., Awaitable[Any]]]:
    """Return the questions of an operator; acts answer with the order as it is then."""

    def as_fields(act: Callable[..., Awaitable[Order]]) -> Callable[..., Awaitable[dict[str, Any]]]:
        async def answer(**asked: Any) -> dict[str, Any]:
            return order_fields(await act(**asked))

        return answer

    async def set_switch(state: str, reason: str, until: str, who: str) -> None:
        await operations.site.hours.set_switch(state, reason, datetime.fromisoformat(until), who)

    return {
        **{act: as_fields(getattr(operations.orders, act)) for act in _ACTS},
        "close_order": as_fields(operations.orders.close),
        "reopen_order": as_fields(operations.orders.reopen),
        "open_for_online": operations.online.open_for_online,
        "set_switch": set_switch,
        "clear_switch": operations.site.hours.clear_switch,
        "site_changes": operations.site.changes.latest,
    }
