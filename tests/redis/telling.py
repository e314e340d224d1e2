"""A node with notices, for tests."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet import reactor

from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.notices.notices import Notices
from callback_scheduler.orders.states import OrderEvent
from config.notices import NoticeSettings
from routing.clock import MovableClock
from routing.directory import Directory, Unit
from tests.redis.nodes import EVENING, Node
from tests.redis.receivers import HttpReceiver

QUICK = {"first_pause_s": 0.02, "longest_pause_s": 0.1, "gives_up_after": 3}
DIRECTORY = Directory((), (Unit("tax-bureau", "区税务局", ()),))


class TellingNode(Node):
    """A node with notices; it is stopped and started with them."""

    notices: Notices

    def start_telling(self, redis_url: str | None = None, **settings: Any) -> Notices:
        self.start(redis_url=redis_url)
        self.notices = self._in_reactor(self._begin, settings)
        return self.notices

    async def _begin(self, settings: dict[str, Any]) -> Notices:
        notices = Notices(
            self.ledger, NoticeSettings.model_validate({"retry": QUICK} | settings), self.data_dir / "notices",
            directory=DIRECTORY, clock=MovableClock(EVENING), reactor=reactor, chance=random.Random(7),
        )
        await notices.start()
        return notices

    def stop(self) -> None:
        if hasattr(self, "notices"):
            self._in_reactor(self.notices.stop)
            del self.notices
        super().stop()

    def change(self, order_id: str, event: OrderEvent, **more: Any) -> Any:
        return self._in_reactor(self.ledger.orders.change_order, order_id, event, who="unit:tax:王", at=EVENING, **more)

    def status_of(self, receiver: str) -> dict[str, Any]:
        return next(status for status in self.notices.status() if status["receiver"] == receiver)


def webhook(receiver: HttpReceiver, **more: Any) -> dict[str, Any]:
    return {"webhooks": [{"name": "board", "url": receiver.url, "secret_env": "TEST_SECRET"} | more]}


def journal_ids(ledger: Ledger) -> list[str]:
    """The ids of order events, as the journal has them."""
    types = ("order_opened", "order_changed", "order_noted")
    return [event.event_id for _, event in ledger._journal.replay(event_types=types)]
