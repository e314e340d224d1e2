"""The points at which the node is killed: before, after, or in the middle of one of its functions.

A name begins with its group: journal, store, dial, outcome, notice, node. `only` chooses among the function's calls;
the kill comes the nth time such a call is made (or has returned, for AFTER) from a moment on that the seed draws of
`armed`. `after` names another point that must have killed the node before, so that this one can be reached at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Any

from callback_scheduler.journal import journal, segments
from callback_scheduler.journal.segments import Mark, SegmentWriter
from callback_scheduler.ledger.feed import Feed
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.notices import outbox
from callback_scheduler.notices.notices import Notices
from callback_scheduler.notices.outbox import Outbox
from callback_scheduler.notices.webhook import Webhook
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Order
from callback_scheduler.store.completeness import Completeness
from callback_scheduler.store.leases import Leases
from callback_scheduler.store.store import Store
from callback_scheduler.timetable.under_way import CallbacksUnderWay
from ivr.calls.attempt import RunningAttempt
from ivr.calls.call import Call
from ivr.calls.orders import Orders
from ivr.dispatch.outgoing import OutgoingCalls
from ivr.flows import callback
from tests.redis.kill.town import DUE_AT, ENTERPRISES, LEADERS, TUESDAY_EVENING, TownSlot

EVENING, REMINDERS = TUESDAY_EVENING, DUE_AT - timedelta(minutes=76)
DIALS, SECOND_TIER, LATE = (DUE_AT - timedelta(minutes=minutes) for minutes in (60, 49, 1))
_ANY = (EVENING, REMINDERS, DIALS)


class Way(Enum):
    """When a function that is called for the nth time lets the node die."""

    BEFORE = auto()  # it does nothing any more
    AFTER = auto()  # it has done all it does


def _any(*args: Any) -> bool:
    return True


@dataclass(frozen=True)
class Point:
    """`owner.name` is the function; `way` is a Way, or does half of its work in its place."""

    owner: Any
    name: str
    way: Way | Callable[..., Any]
    only: Callable[..., Any] = _any
    armed: tuple[datetime, ...] = (DIALS,)
    most: int = 3
    after: str = ""


@dataclass(frozen=True)
class Incident:
    """Something that comes over the whole node at `armed`; it is killed one to `most` times `dies_after` later.

    `kind` is what `Day` knows it by.
    """

    kind: str
    dies_after: timedelta
    armed: tuple[datetime, ...]
    most: int = 3
    after: str = ""


# -- half of the work -------------------------------------------------------------------------------------------------


def _half_written(real: Any, writer: SegmentWriter, records: bytes) -> None:
    writer._write(records[: len(records) * 2 // 3])


def _not_synced(real: Any, writer: SegmentWriter, records: bytes) -> None:
    writer._write(records)


def _half_a_segment(real: Any, folder: Path, journal_id: str, first: int, *rest: Any) -> None:
    (folder / f"{first:012d}.new").write_bytes(b"000000a0 1234abcd 0 {")


def _half_a_mark(real: Any, folder: Path, name: str, mark: Mark) -> None:
    (folder / f"{name}.new").write_text('{"position": ', encoding="ascii")


def _half_applied(real: Any, store: Store, journal_id: str, events: Any) -> None:
    real(store, journal_id, events[: len(events) // 2])


def _one_order_evicted(real: Any, store: Store, journal_id: str, events: Any) -> None:
    real(store, journal_id, events)
    orders = sorted(store.ask(lambda redis: redis.zrange(store.key("orders"), 0, -1)))
    store.ask(lambda redis: redis.delete(*(store.key("order", number) for number in orders[:1])))


def _half_a_cursor(real: Any, file: Path, content: bytes) -> None:
    file.with_suffix(".new").write_bytes(content[: len(content) // 2])


def _half_buried(real: Any, box: Outbox, lines: list[Any]) -> None:
    with box._dead_file.open("ab") as file:
        file.write(b'\n{"event_id": "half of a')


# -- which calls ------------------------------------------------------------------------------------------------------


def _telling(words: str) -> Callable[..., bool]:
    """Appends to the journal in which an event with these words is."""
    return lambda writer, records, *result: words.encode() in records


def _rings(*, enterprise: bool) -> Callable[..., bool]:
    def chosen(slot: TownSlot, leg: int, *result: Any) -> bool:
        number = slot.number_of(leg)
        return number not in LEADERS and (number in ENTERPRISES) is enterprise

    return chosen


def _leader(slot: TownSlot, leg: int, *result: Any) -> bool:
    return slot.number_of(leg) in LEADERS


def _of_an_order(leases: Leases, order_id: str, ttl_s: float, lease: Any = None) -> bool:
    return order_id != "sweeps" and lease is not None


def _of_the_sweeps(leases: Leases, order_id: str, ttl_s: float, lease: Any = None) -> bool:
    return order_id == "sweeps" and lease is not None


def _renews_an_order(leases: Leases, lease: Any, *result: Any) -> bool:
    return bool(lease.order_id != "sweeps")


def _is_callback(orders: Orders, call: Call, *result: Any) -> bool:
    return bool(call.record.attempt_id)


def _came_in(orders: Orders, call: Call, *result: Any) -> bool:
    return call.record.direction.value == "in"


def _reached(callbacks: Any, call: Call, running: RunningAttempt, finished: Any = None) -> bool:
    return finished is not None and finished.outcome is AttemptOutcome.REACHED


def _kind(*kinds: str) -> Callable[..., bool]:
    return lambda notices, kind, *rest: kind in kinds


def _talked_late(dials: CallbacksUnderWay, order: Order, finished: Attempt, *rest: Any) -> bool:
    talk_began_at = finished.evidence.talk_began_at if finished.evidence else None
    return talk_began_at is not None and talk_began_at > order.due_at


_BEFORE, _AFTER = Way.BEFORE, Way.AFTER

POINTS: dict[str, Point | Incident] = {
    # what happened, on its way to the disk
    "journal_before_the_write": Point(SegmentWriter, "append", _BEFORE, armed=_ANY, most=12),
    "journal_half_written": Point(SegmentWriter, "append", _half_written, armed=_ANY, most=12),
    "journal_written_not_synced": Point(SegmentWriter, "append", _not_synced, armed=_ANY, most=12),
    "journal_on_disk_nobody_told": Point(SegmentWriter, "append", _AFTER, armed=_ANY, most=12),
    "journal_order_on_disk_caller_not_told": Point(
        SegmentWriter, "append", _AFTER, _telling('"order_opened"'), (EVENING,), most=8
    ),
    "journal_new_segment_half_made": Point(segments, "create", _half_a_segment, armed=(EVENING, REMINDERS), most=2),
    "journal_new_segment_named": Point(segments, "create", _AFTER, armed=(EVENING, REMINDERS), most=2),
    "journal_mark_half_written": Point(journal, "write_mark", _half_a_mark, armed=(EVENING, REMINDERS), most=2),
    "journal_interrupted_caller_half_recovered": Point(
        Ledger, "open_order", _AFTER, armed=(EVENING,), most=1, after="journal_caller_in_mid_call"
    ),
    "journal_caller_in_mid_call": Point(Orders, "note_request", _AFTER, _came_in, (EVENING,), most=16),
    # on its way to Redis
    "store_before_apply": Point(Store, "apply", _BEFORE, armed=_ANY, most=12),
    "store_half_applied": Point(Store, "apply", _half_applied, armed=_ANY, most=12),
    "store_order_evicted_while_away": Point(Store, "apply", _one_order_evicted, armed=(REMINDERS, DIALS), most=12),
    "store_emptied_to_be_built_anew": Point(
        Completeness, "empty", _AFTER, armed=_ANY, most=1, after="store_order_evicted_while_away"
    ),
    "store_applied_nobody_told": Point(Store, "apply", _AFTER, armed=_ANY, most=12),
    "store_answer_under_way": Point(Ledger, "_answer", _BEFORE, armed=_ANY, most=8),
    "store_sweeps_lease_taken": Point(Leases, "take", _AFTER, _of_the_sweeps, _ANY, most=2),
    # a callback, up to the talk
    "dial_lease_taken": Point(Leases, "take", _AFTER, _of_an_order),
    "dial_begun_no_line_taken": Point(OutgoingCalls, "ring_back", _BEFORE),
    "dial_call_noted_nobody_rung": Point(Orders, "note_offered", _AFTER, _is_callback),
    "dial_unit_rung": Point(TownSlot, "has_rung", _AFTER, _rings(enterprise=False)),
    "dial_unit_answered": Point(TownSlot, "has_answered", _AFTER, _rings(enterprise=False)),
    "dial_unit_accepted": Point(callback, "connect_enterprise", _BEFORE),
    "dial_intent_not_written": Point(RunningAttempt, "may_ring_enterprise", _BEFORE),
    "dial_intent_written_not_rung": Point(RunningAttempt, "may_ring_enterprise", _AFTER),
    "dial_enterprise_rung": Point(TownSlot, "has_rung", _AFTER, _rings(enterprise=True)),
    "dial_enterprise_answered": Point(TownSlot, "has_answered", _AFTER, _rings(enterprise=True)),
    "dial_not_joined_yet": Point(Call, "join", _BEFORE),
    "dial_just_joined": Point(Call, "join", _AFTER),
    "dial_in_the_talk": Point(TownSlot, "talks_on", _BEFORE, most=80),
    "dial_lease_renewed": Point(Leases, "renew", _AFTER, _renews_an_order),
    "dial_leader_rung": Point(TownSlot, "has_rung", _AFTER, _leader, most=1),
    # what came of it
    "outcome_ten_seconds_not_written": Point(RunningAttempt, "note_talk", _BEFORE),
    "outcome_ten_seconds_written": Point(RunningAttempt, "note_talk", _AFTER),
    "outcome_talk_over_not_written": Point(OutgoingCalls, "_see_through", _AFTER, _reached),
    "outcome_on_disk_not_in_redis": Point(SegmentWriter, "append", _AFTER, _telling('"state_to":"reached"')),
    "outcome_written_lease_not_released": Point(CallbacksUnderWay, "_let_go", _BEFORE, most=6),
    "outcome_lease_released": Point(CallbacksUnderWay, "_let_go", _AFTER, most=6),
    "outcome_failed_attempt_on_disk": Point(SegmentWriter, "append", _AFTER, _telling('"event":"attempt_failed"')),
    "outcome_lost_attempt_not_ended": Point(
        CallbacksUnderWay, "_end_lost", _BEFORE, most=1, after="dial_enterprise_answered"
    ),
    "outcome_step_told_not_done": Point(Notices, "tell", _AFTER, _kind("reminder", "escalation"), (REMINDERS,)),
    "outcome_step_done": Point(SegmentWriter, "append", _AFTER, _telling('"note":"step_done"'), (REMINDERS, DIALS)),
    "outcome_breach_told_not_frozen": Point(Notices, "tell", _AFTER, _kind("breach"), (LATE,), most=2),
    "outcome_breach_frozen": Point(SegmentWriter, "append", _AFTER, _telling('"note":"breach_frozen"'), (LATE,), 1),
    "outcome_late_talk_frozen_not_reached": Point(
        CallbacksUnderWay, "_freeze_if_late", _AFTER, _talked_late, (LATE,), most=1
    ),
    "outcome_late_talk_over": Point(OutgoingCalls, "_see_through", _AFTER, _reached, (LATE,), most=1),
    # on its way to those who are told
    "notice_given_not_fed": Point(Feed, "look", _BEFORE, armed=_ANY, most=6),
    "notice_read_not_posted": Point(Feed, "take", _AFTER, armed=_ANY),
    "notice_before_the_post": Point(Webhook, "deliver", _BEFORE, armed=_ANY, most=12),
    "notice_taken_cursor_not_written": Point(Webhook, "deliver", _AFTER, armed=_ANY, most=12),
    "notice_before_the_cursor": Point(Outbox, "save", _BEFORE, armed=_ANY),
    "notice_cursor_half_written": Point(outbox, "_replace", _half_a_cursor, armed=_ANY),
    "notice_cursor_on_disk": Point(Outbox, "save", _AFTER, armed=_ANY),
    "notice_refused_not_buried": Point(Outbox, "bury", _BEFORE, armed=(EVENING,), most=1),
    "notice_dead_letter_half_written": Point(Outbox, "_append", _half_buried, armed=(EVENING,), most=1),
    "notice_buried_cursor_not_written": Point(Outbox, "bury", _AFTER, armed=(EVENING,), most=1),
    # over all of it
    "node_drained_in_the_evening": Incident("drain", timedelta(seconds=25), armed=(EVENING,)),
    "node_drained_while_it_dials": Incident("drain", timedelta(seconds=15), armed=(DIALS,)),
    "node_clock_a_day_ahead": Incident("clock_a_day_ahead", timedelta(minutes=4), armed=(REMINDERS,)),
    "node_clock_a_day_back": Incident("clock_a_day_back", timedelta(minutes=4), armed=(REMINDERS, DIALS)),
}
