"""What is at risk now: why an order may be missed, and the one act that helps most in its situation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from callback_scheduler.orders.evidence import proving
from callback_scheduler.orders.order import AttemptOutcome, Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.orders.verdict import TRIES_THAT_EXCUSE

# So shortly before the deadline a unit that does not answer is its leader's matter.
_LEADER_BEFORE = timedelta(minutes=20)
_VAIN_BEFORE_LEADER = 2


class Best(Enum):
    """The act that stands first; `WATCH` is none: something is under way."""

    RING = "ring"
    REASSIGN = "reassign"
    REMIND = "remind"
    WATCH = "watch"


class Why(Enum):
    """Why an order is at risk, the worst first; each has a text `compliance.why.<value>`."""

    RETURNED = "returned"
    UNIT_SILENT = "unit_silent"  # its phones were rung, nobody took the call on
    NEVER_DIALLED = "never_dialled"
    ONLY_SEEN = "only_seen"  # acknowledged, and not rung yet
    NO_NUMBER = "no_number"
    PROMISE_BROKEN = "promise_broken"
    CLAIMED = "claimed"  # 已联系, without evidence
    UNCERTAIN = "uncertain"  # the node died while phones rang
    ENTERPRISE_AWAY = "enterprise_away"  # the unit tried
    REOPENED = "reopened"
    PROMISED = "promised"
    UNDER_WAY = "under_way"


_ACT = {
    Why.RETURNED: Best.REASSIGN,
    Why.UNIT_SILENT: Best.RING,
    Why.NEVER_DIALLED: Best.RING,
    Why.ONLY_SEEN: Best.RING,
    Why.NO_NUMBER: Best.REMIND,
    Why.PROMISE_BROKEN: Best.RING,
    Why.CLAIMED: Best.RING,
    Why.UNCERTAIN: Best.WATCH,
    Why.ENTERPRISE_AWAY: Best.RING,
    Why.REOPENED: Best.RING,
    Why.PROMISED: Best.WATCH,
    Why.UNDER_WAY: Best.WATCH,
}
_WHY_AFTER = {AttemptOutcome.IN_TEN_MINUTES: Why.PROMISE_BROKEN}
_UNIT_SILENT = frozenset({
    AttemptOutcome.UNIT_NO_ANSWER, AttemptOutcome.UNIT_BUSY, AttemptOutcome.UNIT_REFUSED, AttemptOutcome.NOT_ACCEPTED,
    AttemptOutcome.PASSED_ON,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Risk:
    """An order that is owed; `outcomes` counts what its tries came to, `tried` those that rang the enterprise."""

    order: Order
    why: Why
    best: Best
    is_late: bool
    tries: int
    tried: int
    outcomes: tuple[tuple[AttemptOutcome, int], ...]


def at_risk(orders: Iterable[Order], now: datetime, with_leader: frozenset[str]) -> list[Risk]:
    """Return what is at risk: due by the end of today, late already, or returned by its unit; by deadline.

    What can still be saved stands before what is late. `with_leader` are the units that have a leader to remind.
    """
    end_of_day = now.replace(hour=23, minute=59, second=59)
    owed = [
        order for order in orders
        if order.state.is_open and (order.due_at <= end_of_day or order.state is OrderState.RETURNED)
    ]  # fmt: skip
    risks = [risk_of(order, now, order.unit_id in with_leader) for order in owed]
    ranks = {why: rank for rank, why in enumerate(Why)}
    return sorted(risks, key=lambda one: (one.is_late, one.order.due_at, ranks[one.why], one.order.order_id))


def risk_of(order: Order, now: datetime, has_leader: bool) -> Risk:
    """Return why an open order may be missed, and what to do."""
    why = _why(order, now)
    best = _ACT[why]
    vain = sum(attempt.outcome in _UNIT_SILENT for attempt in order.attempts)
    is_late = order.due_at <= now
    is_pressing = is_late or order.due_at - now <= _LEADER_BEFORE
    if why is Why.UNIT_SILENT and has_leader and (is_pressing or vain >= _VAIN_BEFORE_LEADER):
        best = Best.REMIND
    if best is Best.REMIND and not has_leader:
        best = Best.REASSIGN
    counted = Counter(attempt.outcome for attempt in order.attempts if attempt.ended_at)
    tried = sum(attempt.outcome.counts_as_tried for attempt in order.attempts)
    return Risk(order, why, best, is_late, len(order.attempts), tried, tuple(counted.most_common()))


def _why(order: Order, now: datetime) -> Why:
    if order.state is OrderState.RETURNED:
        return Why.RETURNED
    if order.state is OrderState.CALLING_BACK:
        return Why.UNDER_WAY
    if not order.callback_number:
        return Why.NO_NUMBER
    if order.promised_at is not None and now < order.promised_at:
        return Why.PROMISED
    return _why_of_tries(order, now)


def _why_of_tries(order: Order, now: datetime) -> Why:
    last = order.attempts[-1] if order.attempts else None
    if last is not None and last.outcome is AttemptOutcome.UNKNOWN and order.dial_after and now < order.dial_after:
        return Why.UNCERTAIN
    if order.state is OrderState.SELF_REPORTED:
        return Why.CLAIMED
    if proving(order.attempts):
        return Why.REOPENED
    if last is None:
        return Why.ONLY_SEEN if order.acknowledged_at else Why.NEVER_DIALLED
    return _WHY_AFTER.get(last.outcome, Why.ENTERPRISE_AWAY if last.outcome.counts_as_tried else Why.UNIT_SILENT)


TRIES_NEEDED = TRIES_THAT_EXCUSE
