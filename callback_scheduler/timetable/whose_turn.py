"""Which orders are dialled now: earliest deadline first, never more than free lines, and phones, allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache

from callback_scheduler.orders.order import Attempt, AttemptOutcome, Order
from callback_scheduler.orders.states import OrderState
from config.ladder import LadderRules, LadderSettings
from routing.calendar import Calendar
from routing.clock import SHANGHAI
from routing.phone_numbers import stored

# Self-reported orders wait for their evidence, returned ones for another unit.
DIALLED = frozenset({OrderState.OPENED, OrderState.SENT, OrderState.ACKNOWLEDGED, OrderState.NOT_REACHED})
_SOON_AGAIN = frozenset({
    AttemptOutcome.UNIT_BUSY, AttemptOutcome.ENTERPRISE_BUSY, AttemptOutcome.PASSED_ON, AttemptOutcome.CALLED_OFF,
})  # fmt: skip
_BROKEN = datetime.max.replace(tzinfo=SHANGHAI)  # behind every deadline
# To ring a unit, hear it accept, ring an enterprise until nobody answers.
_A_TRY_TAKES_S = 60.0
UNIT_FAILED = frozenset({
    AttemptOutcome.UNIT_NO_ANSWER, AttemptOutcome.UNIT_BUSY, AttemptOutcome.UNIT_REFUSED, AttemptOutcome.NOT_ACCEPTED,
    AttemptOutcome.PASSED_ON,
})  # fmt: skip


def may_be_owed(order: Order) -> bool:
    """Tell whether the timetable itself has to dial an order, whenever that may be; else somebody must act first."""
    return order.state in DIALLED and stored(order.callback_number) is not None and not order.hold_reason


def dial_from(order: Order, at: datetime, ladder: LadderSettings, calendar: Calendar) -> datetime | None:
    """Return from when on an order may be dialled, `at` or later; None if somebody must act first.

    Dialling begins on the day of the deadline at `first_dial_at`, and goes on on workdays up to `dial_until`. A time
    the caller prefers is waited for if it still keeps the promise, or if the promise is broken anyway. Who has no
    number that may be rung, or one that only an earlier version took for one, must be found out first.
    """
    if not may_be_owed(order):
        return None
    rules = ladder.of(order.unit_id)
    due_at = order.due_at.astimezone(SHANGHAI)
    known = [at, order.opened_at, datetime.combine(due_at.date(), rules.first_dial_at, SHANGHAI)]
    known += [asked for asked in (order.dial_after, order.promised_at) if asked is not None]
    if order.preferred_at is not None and (order.preferred_at < due_at or at >= due_at):
        known.append(order.preferred_at)
    earliest = _in_window(max(known).astimezone(SHANGHAI), order, rules, calendar)
    if tries_on(order, earliest) < rules.max_tries_per_day:
        return earliest
    next_day = calendar.next_workday(earliest.date()).on
    return datetime.combine(next_day, rules.first_dial_at, SHANGHAI)


def _in_window(moment: datetime, order: Order, rules: LadderRules, calendar: Calendar) -> datetime:
    """Return the first moment from `moment` on at which an enterprise may be rung."""
    day = moment.date()
    opens_at = datetime.combine(day, rules.first_dial_at, SHANGHAI)
    closes_at = datetime.combine(day, rules.dial_until, SHANGHAI)
    is_dial_day = is_workday(calendar, day) or day == order.due_at.astimezone(SHANGHAI).date()
    if is_dial_day and moment < closes_at:
        return max(moment, opens_at)
    return datetime.combine(calendar.next_workday(day).on, rules.first_dial_at, SHANGHAI)


def is_in_window(moment: datetime, order: Order, rules: LadderRules, calendar: Calendar) -> bool:
    """Whether the enterprise of an order may be rung at `moment`, by the hours of the ladder."""
    return _in_window(moment.astimezone(SHANGHAI), order, rules, calendar) <= moment


@lru_cache(maxsize=1024)
def is_workday(calendar: Calendar, day: date) -> bool:
    """Whether people work on a day; remembered, since every sweep asks."""
    return calendar.day(day).is_workday


def tries_on(order: Order, moment: datetime) -> int:
    """Return how often the enterprise's phone has rung in vain on the day of `moment`."""
    day = moment.astimezone(SHANGHAI).date()
    return sum(
        one.outcome.counts_as_tried and one.begun_at.astimezone(SHANGHAI).date() == day for one in order.attempts
    )


def may_be_on_the_phone(order: Order, at: datetime) -> bool:
    """Whether the enterprise of an order may be talking about it, at whatever node, or is about to be rung.

    Where a node was lost in mid-callback nobody knows, up to the time when it is safe to dial again.
    """
    if order.state is OrderState.CALLING_BACK:
        return True
    last = order.attempts[-1] if order.attempts else None
    is_unknown = last is not None and last.outcome is AttemptOutcome.UNKNOWN and last.enterprise_rung_at is not None
    return is_unknown and order.dial_after is not None and at < order.dial_after


def to_dial(
    orders: Iterable[Order],
    at: datetime,
    ladder: LadderSettings,
    calendar: Calendar,
    *,
    free_lines: int,
    phones_of: Callable[[Order], Collection[str]],
    phones_in_use: Collection[str] = (),
    under_way: Mapping[str, Order] | None = None,
    may_dial: Callable[[Order], bool] = lambda order: True,
) -> list[Order]:
    """Return the orders to dial at `at`, `free_lines` at most: earliest deadline first, then who was tried least.

    Those whose promise is broken come behind those whose promise can be kept, who was tried least first: however many
    have been left over for weeks, this morning's are dialled in time, and each of the others has its turn.

    `phones_of` gives the numbers of its unit that may be rung for an order; no unit gets more dials than it has
    numbers that are neither in `phones_in_use` nor taken by an order in `under_way`, and no enterprise two at once,
    those of other nodes counted in. `may_dial` has the last word on each.
    """
    orders = list(orders)
    under_way = under_way or {}
    ringing = Counter(order.unit_id for order in under_way.values())
    enterprises = {order.callback_number for order in under_way.values()}.union(phones_in_use)
    enterprises.update(order.callback_number for order in orders if may_be_on_the_phone(order, at))
    begun: Counter[str] = Counter()
    chosen: list[Order] = []
    for order in sorted(orders, key=lambda order: _urgency(order, at)):
        if len(chosen) >= free_lines:
            break
        if order.order_id in under_way or order.state not in DIALLED or order.callback_number in enterprises:
            continue
        phones = frozenset(phones_of(order))
        # A phone that rings for a dial under way is seen in use, or not yet: it must not be counted twice.
        busy = max(len(phones.intersection(phones_in_use)), ringing[order.unit_id]) + begun[order.unit_id]
        earliest = dial_from(order, at, ladder, calendar) if busy < len(phones) else None
        if earliest is not None and earliest <= at and may_dial(order):
            chosen.append(order)
            begun[order.unit_id] += 1
            enterprises.add(order.callback_number)
    return chosen


def _urgency(order: Order, at: datetime) -> tuple[datetime, int, datetime, datetime, str]:
    until = order.due_at if order.due_at > at else _BROKEN
    return until, len(order.attempts), order.due_at, order.opened_at, order.order_id


def next_dial_at(attempt: Attempt, order: Order, ended_at: datetime, rules: LadderRules) -> datetime:
    """Return when an order may be dialled again after an attempt that failed at `ended_at`.

    Busy and unanswered phones have their pauses; these shrink where they would leave no time before the deadline for
    as many tries as are owed. After those, or once the promise is broken, nothing is gained by ringing every minute.
    """
    if attempt.outcome is AttemptOutcome.IN_TEN_MINUTES:
        return ended_at + timedelta(seconds=rules.ten_minutes_s)
    pause_s = rules.busy_retry_s if attempt.outcome in _SOON_AGAIN else rules.no_answer_retry_s
    before = [other for other in order.attempts if other.attempt_id != attempt.attempt_id]
    tries = sum(other.outcome.counts_as_tried for other in (*before, attempt))
    if ended_at >= order.due_at or tries >= rules.min_tries:
        return ended_at + timedelta(seconds=max(pause_s, rules.late_retry_s))
    if attempt.outcome.counts_as_tried:
        for_each_s = (order.due_at - ended_at).total_seconds() / (rules.min_tries - tries) - _A_TRY_TAKES_S
        pause_s = max(min(pause_s, for_each_s), min(pause_s, rules.busy_retry_s))
    return ended_at + timedelta(seconds=pause_s)
