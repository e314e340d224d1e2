"""Forgets what need not be known any more: settled orders, call records, and old files of the journal.

Four steps, each safe to repeat. A settled order is forgotten by an event of its own, so that it stays forgotten when
Redis is built anew; its number stays taken. Then call records and surveys. Then the keys go that the journal sealed
these days under, but for those of orders that are still known: from here on nobody can read the rest, wherever a copy
of the file lies. A file of the journal is archived, or deleted, once its last event is old enough and the store knows
none of the orders it tells of: an order that is still owed keeps every file with an event of it, and so those behind;
what they hold of others is sealed for ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from callback_scheduler.journal import segments
from callback_scheduler.journal.journal import Journal, JournalEvent
from callback_scheduler.journal.keys import KeyName
from callback_scheduler.journal.scan import segment_files
from callback_scheduler.journal.segments import ARCHIVE_MARK, Mark, Segment, write_mark
from callback_scheduler.ledger.personal import day_of, keys_of, name_of
from callback_scheduler.orders.order import Order
from callback_scheduler.store.store import Store
from routing.clock import SHANGHAI

log = structlog.get_logger()

ORDERS_AT_ONCE = 1000
_EVER = datetime(1970, 1, 2, tzinfo=SHANGHAI)
_ORDER_EVENTS = ("order_opened", "order_changed", "order_noted")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: orders by number, the recordings that go with them, and the files of the journal.

    All that is from before `before` is gone when there are `kept`: the keys of what is still known, None while there
    are settled orders left.
    """

    orders: tuple[str, ...]
    recordings: tuple[str, ...]
    files: tuple[Path, ...]
    before: datetime
    kept: frozenset[KeyName] | None


def settled_before(store: Store, before: datetime, limit: int = ORDERS_AT_ONCE) -> list[Order]:
    """Return up to `limit` orders with which nothing has happened since `before`, and that are owed no more."""
    return [order for order in store.orders.settled_orders(before, limit) if _last_instant(order) < before]


def _last_instant(order: Order) -> datetime:
    instants = [order.opened_at, order.closed_at, order.reached_at, order.self_reported_at, order.overdue_at]
    instants += [order.acknowledged_at, order.written_answer_at]
    instants += [call.opened_at for call in order.merged_calls]
    instants += [attempt.ended_at or attempt.begun_at for attempt in order.attempts]
    return max(at for at in instants if at is not None)


def recordings_of(order: Order) -> set[str]:
    """Return all recordings that an order tells of."""
    paths = {order.message_path, *order.messages, *(call.message_path for call in order.merged_calls)}
    paths |= {attempt.evidence.recording for attempt in order.attempts if attempt.evidence is not None}
    return paths - {""}


def throw_away(journal: Journal, store: Store, before: datetime) -> frozenset[KeyName]:
    """Throw away the keys of the days before `before` but for those of orders still known, and return these. Blocks.

    The store has all that is in the journal. What is left of other nodes' orders there is not theirs to read any more.
    Raises StoreUnavailable, or OSError if the keys cannot be written.
    """
    store.leftovers.drop(before)
    known = store.orders.all_orders(_EVER, before)
    # what waits for an order that this store has not met yet must be told again if Redis is emptied once more
    early = frozenset(map(name_of, store.early.waiting()))
    kept = early.union(*map(keys_of, known))
    if journal.forget(day_of(before), kept):
        log.info("keys_thrown_away", before=before.isoformat(), orders_kept=len(known))
    for path in journal.folder.glob("*.torn"):
        if path.stat().st_mtime < before.timestamp():
            path.unlink()
    return kept


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
