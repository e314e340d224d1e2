"""A node in a storm: hundreds of orders at once, on a Redis of its own, which dies with it.

What the day of `day.py` does not have: appends of many events in one piece, a Redis that must come back too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred, gatherResults

from callback_scheduler.ledger.ledger import Ledger
from tests.redis.kill.day import Plan
from tests.redis.kill.town import TUESDAY_EVENING
from tests.redis.kill.witness import Witness
from tests.redis.nodes import draft

_CALLERS, _ORDERS_EACH = 20, 30
_SEGMENT_BYTES = 8000


class Storm:
    """One life of the node."""

    def __init__(self, plan: Plan, *, reactor: Any, witness: Witness) -> None:
        self._witness = witness
        self._ledger = Ledger(Path(plan.folder), reactor)
        self._ledger._journal._segment_bytes = _SEGMENT_BYTES

    async def live(self) -> None:
        """Let all callers ring, each of them again as soon as he has been told a number."""
        await self._ledger.start()
        await gatherResults([ensureDeferred(self._caller(name)) for name in range(_CALLERS)])
        await self._ledger.stop()

    async def _caller(self, name: int) -> None:
        for n in range(_ORDERS_EACH):
            number = f"{name}-{n // 2}"  # every number rings twice
            opened = await self._ledger.open_order(draft(number, call_id=f"{name}-{n}"))
            self._witness.saw("told", TUESDAY_EVENING, number=number, order_id=opened.order_id)
