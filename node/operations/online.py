"""The hand-over from the online assistant: a chat asks for a call now or for a callback."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred

from callback_scheduler.errors import SchedulerError
from callback_scheduler.journal.journal import JournalEvent
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor, ActorRole
from callback_scheduler.orders.order import Order, OrderKind
from callback_scheduler.store.store import EventOutcome
from callback_scheduler.timetable.timetable import Timetable
from ivr.calls.cdr import new_call_id
from ivr.calls.office import Office
from ivr.calls.orders import Orders
from ivr.calls.request import Request
from ivr.refused import OperationRefused
from node.operations.interfaces import Wish
from node.operations.order_refusals import OrderRefusal
from node.operations.orders import OrderOperations
from routing.clock import Clock
from routing.errors import UnknownMatter
from routing.matters import Matter

log = structlog.get_logger()

_KEY_PATH = "online"
# What somebody at the unit did with an order, so that the chat's wish was heard.
_RESPONSES = frozenset({"acknowledged", "reached", "returned", "self_reported", "answer_written"})


class OnlineOperations:
    """Opens orders for chats and measures the time up to the first response; `who` as for other orders."""

    def __init__(
        self, orders: OrderOperations, *, promises: Orders, ledger: Ledger, timetable: Timetable, office: Office,
        clock: Clock,
    ) -> None:  # fmt: skip
        """`promises` are the orders as calls open them."""
        self._orders, self._promises, self._ledger = orders, promises, ledger
        self._timetable, self._office, self._clock = timetable, office, clock
        self._under_way: set[Deferred[None]] = set()

    async def open_for_online(
        self, matter_id: str, number: str, text: str, wants: Wish, who: Actor, *, company: str = "", contact: str = ""
    ) -> dict[str, Any]:
        """Open an order, and in hours begin its callback at once if the chat wants a call now.

        Returns order_id, was_merged, due_at, asked_at, is_text_kept, is_calling, and the key of why it does not ring
        now ("line.closed" out of hours, "" if it rings or was not asked to). The unit is rung first, then `number`.
        The order is on disk on return; its text is too, unless `is_text_kept` is False: then it may be sent again.
        """
        if wants not in ("call_now", "callback"):
            raise OrderRefusal.UNKNOWN_WISH.error()
        matter, callback_number = self._matter(matter_id), self._promises.allowed(number)
        if callback_number is None:
            raise OrderRefusal.NOT_DIALABLE.error()
        at, is_open = self._clock.now(), self._office.opening().is_open
        request = Request(
            callback_number, callback_number, matter.matter_id, matter.unit_id, _KEY_PATH, was_closed=not is_open,
            company=company.strip(), contact=contact.strip(),
        )  # fmt: skip
        opened = await self._promises.open_request(request, f"online-{new_call_id(at)}", OrderKind.ONLINE, at)
        is_text_kept = not text.strip() or await self._keep_text(opened.order_id, text.strip(), who)
        self._timetable.wake()
        why_not = await self._ring(opened.order_id, is_open, who) if wants == "call_now" else ""
        return {
            "order_id": opened.order_id,
            "was_merged": opened.was_merged,
            "asked_at": at.isoformat(),
            "due_at": opened.due_at.isoformat(),
            "is_text_kept": is_text_kept,
            "is_calling": wants == "call_now" and not why_not,
            "why_not_calling": why_not,
        }

    async def first_response_s(self, order_id: str) -> float | None:
        """Return the seconds from the chat's wish to the first response; None if there is none yet."""
        order = await self._ledger.orders.order(order_id)
        if order is None or order.first_response_at is None:
            return None
        asked_at = online_since(order)
        return (order.first_response_at - asked_at).total_seconds() if asked_at is not None else None

    def on_event(self, event: JournalEvent, outcome: EventOutcome) -> None:
        """Hear of an event that counts: the first response to an order from a chat is stored with it.

        Nobody waits for that: who responded has been answered, and the figure is read from where it is stored.
        """
        what = event.payload.get("event") or event.payload.get("note")
        if what in _RESPONSES:
            order_id = outcome.order_id or event.payload["order_id"]
            noting = ensureDeferred(self._note_response(order_id, event, str(what)))
            self._under_way.add(noting)
            noting.addBoth(lambda _: self._under_way.discard(noting))

    async def stop(self) -> None:
        """Wait for what is being noted: a response that was not would let a later one count as the first."""
        await DeferredList([*self._under_way], consumeErrors=True)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _matter(self, matter_id: str) -> Matter:
        try:
            matter = self._office.directory.matter(matter_id)
        except UnknownMatter as wrong:
            raise OrderRefusal.UNKNOWN_MATTER.error() from wrong
        if matter.belongs_elsewhere is not None:
            raise OrderRefusal.UNKNOWN_MATTER.error()
        return matter

    async def _ring(self, order_id: str, is_open: bool, who: Actor) -> str:
        """Begin the callback; return why it does not ring, "" if it does."""
        if not is_open:
            return "line.closed"
        try:
            await self._orders.ring_unit_now(order_id, who)
        except OperationRefused as refused:
            return refused.key
        except SchedulerError as wrong:
            log.warning("online_call_not_begun", order_id=order_id, error=str(wrong))
            return "order.taken"  # it is on disk, and the timetable dials it
        return ""

    async def _keep_text(self, order_id: str, text: str, who: Actor) -> bool:
        """Add a text to those of the order: one that took the request up keeps what was asked before."""
        try:
            order = await self._ledger.orders.order(order_id)
        except SchedulerError as wrong:
            log.warning("order_not_read", order_id=order_id, error=str(wrong))
            return False
        texts = dict.fromkeys([*(order.requests if order else ()), text])
        written = {"written_request": text, "written_requests": list(texts)}
        return await self._note(order_id, "online_request", written, who)

    async def _note(self, order_id: str, note: str, changes: dict[str, Any], who: Actor) -> bool:
        at = self._clock.now()
        try:
            await self._ledger.orders.note_order(order_id, note, who=str(who), changes=changes, at=at)
        except SchedulerError as wrong:
            log.warning("order_not_noted", order_id=order_id, note=note, error=str(wrong))
            return False
        return True

    async def _note_response(self, order_id: str, event: JournalEvent, what: str) -> None:
        try:
            order = await self._ledger.orders.order(order_id)
            if order is not None and online_since(order) is not None and order.first_response_at is None:
                at = order.reached_at if what == "reached" and order.reached_at else event.at
                who = Actor(ActorRole.OTHER, f"online:{what}")
                await self._note(order_id, "first_response", {"first_response_at": at}, who)
        except SchedulerError as wrong:
            log.warning("first_response_not_noted", order_id=order_id, error=str(wrong))
        except Exception:
            log.exception("first_response_failed", order_id=order_id)


def online_since(order: Order) -> datetime | None:
    """Return when a chat first asked for an order, or was merged into one of a phone call; None if none did."""
    if order.key_path == _KEY_PATH:
        return order.opened_at
    return next((merged.opened_at for merged in order.merged_calls if merged.key_path == _KEY_PATH), None)
