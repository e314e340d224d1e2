"""Forgets what need not be known any more: settled orders, call records, and old files of the journal.

Three steps, each safe to repeat. A settled order is forgotten by an event of its own, so that it stays forgotten when
Redis is built anew; its number stays taken. Then call records and surveys. A file of the journal is archived, or
deleted, once its last event is old enough and the store knows none of the orders it tells of: an order that is still
owed keeps every file with an event of it, and so those behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from callback_scheduler.journal import segments
from callback_scheduler.journal.journal import Journal, JournalEvent
from callback_scheduler.journal.scan import segment_files
from callback_scheduler.journal.segments import ARCHIVE_MARK, Mark, Segment, write_mark
from callback_scheduler.orders.order import Order
from callback_scheduler.store.store import Store

log = structlog.get_logger()

_ORDERS_AT_ONCE = 1000
_ORDER_EVENTS = ("order_opened", "order_changed", "order_noted")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: orders by number, the recordings that go with them, and the files of the journal."""

    orders: tuple[str, ...]
    recordings: tuple[str, ...]
    files: tuple[Path, ...]


def settled_before(store: Store, before: datetime, limit: int = _ORDERS_AT_ONCE) -> list[Order]:
    """Return up to `limit` orders with which nothing has happened since `before`, and that are owed no more."""
    return [order for order in store.orders.settled_orders(before, limit) if _last_instant(order) < before]


def _last_instant(order: Order) -> datetime:
    instants = [order.opened_at, order.closed_at, order.reached_at, order.self_reported_at, order.overdue_at]
    instants += [call.opened_at for call in order.merged_calls]
    instants += [attempt.ended_at or attempt.begun_at for attempt in order.attempts]
    return max(at for at in instants if at is not None)


def recordings_of(order: Order) -> set[str]:
    """Return all recordings that an order tells of."""
    paths = {order.message_path, *order.messages, *(call.message_path for call in order.merged_calls)}
    paths |= {attempt.evidence.recording for attempt in order.attempts if attempt.evidence is not None}
    return paths - {""}


def old_segments(journal: Journal, store: Store, before: datetime) -> list[Segment]:
    """Return the first files of `journal` that may go, oldest first; never the one that is being written. Blocks."""
    found: list[Segment] = []
    for segment in journal.segments[:-1]:
        events = [JournalEvent.from_json(body) for _, _, body in segments.read(segment.path, 0, segment.last)]
        if any(event.at >= before for event in events) or store.orders.known(sorted(_orders_in(events))):
            break
        found.append(segment)
    return found


def _orders_in(events: Iterable[JournalEvent]) -> set[str]:
    return {str(event.payload["order_id"]) for event in events if event.event_type in _ORDER_EVENTS}


def archive(journal: Journal, old: list[Segment], folder: Path | None) -> tuple[Path, ...]:
    """Move the first files of `journal`, `old`, to `folder`, or delete them if that is None; return where they were.

    The mark is written first: what a crash leaves behind it is not read any more, and goes the next time. Blocks;
    OSError if a file cannot be moved.
    """
    if not old:
        return ()
    last = old[-1]
    write_mark(journal.folder, ARCHIVE_MARK, Mark(last.last, last.chain))
    journal.let_go(len(old))
    gone = tuple(path for path in segment_files(journal.folder) if path.name <= last.path.name)
    for path in gone:
        if folder is None:
            path.unlink()
        else:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.rename(folder / path.name)
    log.info("journal_archived", files=len(gone), until=last.last, folder=str(folder) if folder else "deleted")
    return gone
