"""A ledger in memory for unit tests: its events in a log, its orders as they are changed."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock as VirtualTime

from callback_scheduler.errors import JournalFull, StoreUnavailable
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.orders import life as order_life
from callback_scheduler.orders.deadlines import Deadline
from callback_scheduler.orders.order import Lease, OpenedOrder, Order, OrderDraft, OrderKind
from callback_scheduler.orders.states import OrderEvent, OrderState, next_state
from routing.clock import SHANGHAI
from tests.fakes.event_log import WRITTEN, EventLog, a_turn

CALLER_NUMBER = "13912345678"
EVENING = datetime(2026, 3, 10, 21, 0, tzinfo=SHANGHAI)


class FakeLedger:
    """Keeps events in the log of its story, and orders as they are changed.

    `is_full` makes the next writes fail as a full disk does, `is_away` all that needs Redis. The lease is somebody
    else's after `lost_after` renewals, or once the note `lost_with` is on disk. With a `time`, disk and Redis take a
    turn of the reactor: what is not waited for comes late. After `hold` writes wait as behind a slow disk, until
    `let_go`.
    """

    def __init__(self) -> None:
        self.log = EventLog()
        self.time: VirtualTime | None = None
        self.journal: list[JournalEvent] = []
        self.drafts: list[OrderDraft] = []
        self.known: dict[str, Order] = {}
        self.leases: dict[str, Lease] = {}
        self.is_full = self.is_away = False
        self.lost_after: int | None = None
        self.lost_with = ""
        self._held: list[Deferred[None]] | None = None
        self._holds = ""
        self.is_by_hand = False  # from the first `hold` on nothing takes a turn of its own accord

    def hold(self, event_type: str = "") -> None:
        """Let every write wait from now on, or those of one type."""
        self._held, self._holds, self.is_by_hand = [], event_type, True

    def let_go(self, is_full: bool = False) -> None:
        """Let what waits be written, the oldest first, or fail as on a full disk; what comes later waits no more."""
        self.is_full, (held, self._held) = is_full, (self._held or [], None)
        for waiting in held:
            waiting.callback(None)

    def let_one_go(self, is_full: bool = False) -> None:
        """Let the oldest write that waits through, or fail; the others go on waiting."""
        assert self._held, "nothing is being written"
        self.is_full = is_full
        self._held.pop(0).callback(None)
        self.is_full = False

    async def _turn(self) -> None:
        if not self.is_by_hand:
            await a_turn(self.time)

    async def write(self, event_type: str, payload: dict[str, Any], at: datetime) -> None:
        payload = dict(payload)  # as it is now: the journal takes a copy
        await self._turn()
        if self._held is not None and self._holds in ("", event_type):
            waiting: Deferred[None] = Deferred()
            self._held.append(waiting)
            await waiting
        if self.is_full:
            raise JournalFull("no space left")
        self.log.add(WRITTEN, event_type, payload, at)
        if event_type in ("call_ended", "seat_state_set", "wrap_up_noted", "numbers_checked"):
            self.journal.append(JournalEvent.new(event_type, payload, at))

    async def history(self, *event_types: str) -> list[JournalEvent]:
        return [event for event in self.journal if event.event_type in event_types]

    async def calls(self, limit: int = 100) -> list[dict[str, Any]]:
        await self._needs_redis()
        return [event.payload for event in reversed(self.journal) if event.event_type == "call_ended"][:limit]

    async def open_order(self, draft: OrderDraft) -> OpenedOrder:
        await self.write("order_opened", {"call_id": draft.call_id}, draft.opened_at)
        self.drafts.append(draft)
        due = draft.deadline
        return OpenedOrder(f"2603101{len(self.drafts):04}", False, due.due_at, due.is_provisional)

    @property
    def orders(self) -> FakeLedger:
        """Itself: of the real one the orders are a part."""
        return self

    # -- orders -----------------------------------------------------------------------------------------------

    def owe(self, **fields: Any) -> Order:
        """Put an open order there, due 2026-03-11 10:00."""
        order = an_order(**fields)
        self.known[order.order_id] = order
        return order

    async def order(self, order_id: str) -> Order | None:
        await self._needs_redis()
        return self.known.get(order_id)

    async def open_orders_of(self, phone: str) -> list[Order]:
        await self._needs_redis()
        owed = [order for order in self.known.values() if phone in (order.callback_number, order.caller_number)]
        return [order for order in owed if order.state.is_open]

    async def change_order(self, order_id: str, event: OrderEvent, **told: Any) -> Order:
        await self._needs_redis()
        order = self.known[order_id]
        payload = order_life.changed(
            order, event, who=told["who"], why=told.get("why", ""), changes=told.get("changes"),
            attempt=told.get("attempt"), at=told["at"],
        )  # fmt: skip
        await self.write("order_changed", payload, told["at"])
        return self._apply(dataclasses.replace(self.known[order_id], state=next_state(order.state, event)), told)

    async def note_order(self, order_id: str, note: str, **told: Any) -> Order:
        await self._needs_redis()
        await self.write("order_noted", {"order_id": order_id, "note": note, **told}, told["at"])
        if note == self.lost_with:
            self.lost_after = 0
        return self._apply(self.known[order_id], told)

    def _apply(self, order: Order, told: dict[str, Any]) -> Order:
        changes = dict(told.get("changes") or {})
        if "messages" in changes:
            changes["messages"] = (*order.messages, *changes["messages"])
        if (attempt := told.get("attempt")) is not None:
            others = tuple(one for one in order.attempts if one.attempt_id != attempt.attempt_id)
            changes["attempts"] = (*others, attempt)
        self.known[order.order_id] = dataclasses.replace(order, **changes)
        return self.known[order.order_id]

    async def lease(self, order_id: str, ttl_s: float) -> Lease | None:
        await self._needs_redis()
        if order_id in self.leases:
            return None
        self.leases[order_id] = Lease(order_id, 7, ttl_s)
        return self.leases[order_id]

    async def renew(self, lease: Lease) -> bool:
        await self._needs_redis()
        if self.lost_after is None:
            return True
        self.lost_after -= 1
        return self.lost_after >= 0

    async def release(self, lease: Lease) -> bool:
        await self._needs_redis()
        return self.leases.pop(lease.order_id, None) is not None

    async def _needs_redis(self) -> None:
        await self._turn()
        if self.is_away:
            raise StoreUnavailable("Redis does not answer")

    def notes(self, note: str) -> list[dict[str, Any]]:
        return [payload for payload in self.of_type("order_noted") if payload["note"] == note]

    def of_type(self, event_type: str) -> list[dict[str, Any]]:
        return [entry.more for entry in self.log.of_kind(WRITTEN) if entry.name == event_type]


def an_order(**fields: Any) -> Order:
    """Return an order of 2026-03-10, 21:00, about tax, due the next morning."""
    due = Deadline(datetime(2026, 3, 11, 10, 0, tzinfo=SHANGHAI), "", False, "r", "c", "after_hours")
    usual: dict[str, Any] = {
        "order_id": "26031010001", "state": OrderState.SENT, "call_id": "c", "kind": OrderKind.AFTER_HOURS,
        "opened_at": EVENING, "caller_number": CALLER_NUMBER, "callback_number": CALLER_NUMBER, "matter_id": "tax",
        "unit_id": "tax", "deadline": due,
    }  # fmt: skip
    return Order(**(usual | fields))
