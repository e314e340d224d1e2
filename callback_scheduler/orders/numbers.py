"""Order numbers: date, node and a sequence, never given twice."""

from __future__ import annotations

from datetime import datetime

from callback_scheduler.orders.number_fence import NumberFence
from routing.clock import SHANGHAI


class OrderNumbers:
    """Gives the numbers of one node: YYMMDD of the order in Shanghai, the node (1 to 9), four digits from 0001.

    A day's order ten thousand gets a fifth digit rather than a refusal; the length keeps it apart. Numbers given
    before a restart are told by `note`. After a restore they go on behind a `fence`.
    """

    def __init__(self, node_number: int) -> None:
        if not 1 <= node_number <= 9:
            raise ValueError(f"node number {node_number} is not one digit from 1 to 9")
        self._node = str(node_number)
        self._last: dict[str, int] = {}
        self._fence: NumberFence | None = None

    def note(self, order_id: str) -> None:
        """Never give `order_id` again, nor any number before it on its day; numbers of other nodes do not matter."""
        day, node, sequence = order_id[:6], order_id[6:7], order_id[7:]
        if node == self._node and sequence.isdecimal():
            self._last[day] = max(self._last.get(day, 0), int(sequence))

    def stay_behind(self, fence: NumberFence | None) -> None:
        """Give only numbers behind `fence` on its days."""
        self._fence = fence

    def next(self, opened_at: datetime) -> str:
        """Return a new number for an order opened at `opened_at` (aware)."""
        on_day = opened_at.astimezone(SHANGHAI)
        day = f"{on_day:%y%m%d}"
        fence = self._fence
        least = fence.sequence if fence is not None and on_day.date() <= fence.until else 0
        self._last[day] = max(self._last.get(day, 0), least) + 1
        return f"{day}{self._node}{self._last[day]:04d}"
