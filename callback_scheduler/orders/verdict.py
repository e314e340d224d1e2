"""What became of the promise of an order: pure functions over what is known of it.

The class of an order is decided by what was true at its deadline, and by evidence first (design rule 18):

- *On time*: the first evidenced talk began before the deadline. 10:00:00 is not before 10:00.
- *Attempted, not reached* (已尽责未接通): the enterprise's phone was rung three times or more before the deadline, with
  evidence. Talk after the deadline leaves it there: who goes on trying must not look worse than who gives up.
- *Late*: evidenced talk, but not before the deadline, and no three tries before it.
- *Self-reported*: the unit typed 已联系 before the deadline, and nothing proves it. Never on time by itself.
- *Missed*: the deadline has passed, and none of the above.
- *Not yet due*: the clock still runs.

Nothing that happened after `at` counts, so a report of yesterday can be asked for today. Once the deadline has passed,
a later `at` moves an order from *missed* or *self-reported* to *late*, and from nowhere else: late never becomes on
time.

Instants are milliseconds since the epoch, 0 for never: a report looks at 100,000 orders while somebody waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import NamedTuple

from callback_scheduler.orders.evidence import proves
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Order, OrderKind
from callback_scheduler.orders.states import OrderState

_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=timezone.utc), timedelta(milliseconds=1)
TRIES_THAT_EXCUSE = 3  # evidenced tries that make an order 已尽责未接通
MERGED = OrderState.MERGED.value


class Verdict(Enum):
    """The class of an order; each order has exactly one."""

    ON_TIME = "on_time"  # evidenced talk began before the deadline
    SELF_REPORTED = "self_reported"  # typed 已联系 before the deadline, without evidence
    ATTEMPTED = "attempted"  # 已尽责未接通: three evidenced tries or more before the deadline
    LATE = "late"  # evidenced talk, but too late
    MISSED = "missed"  # the deadline has passed, and nobody talked
    NOT_YET_DUE = "not_yet_due"  # the clock still runs
    MERGED = "merged"  # 并单: owed under another number, and counted there

    __hash__ = object.__hash__  # Enum's own is written in Python, and 100,000 are counted


class Stage(Enum):
    """How far the furthest try of an order came."""

    NEVER_DIALLED = "never_dialled"  # no phone was rung at all
    NOT_ANSWERED = "not_answered"  # the unit's phones were rung, and nobody answered
    NOT_JOINED = "not_joined"  # somebody at the unit answered; no talk of 10 s with the enterprise
    JOINED = "joined"  # evidence

    __hash__ = object.__hash__  # as above


class Try(NamedTuple):
    """What compliance asks of an attempt; `talk_ms` is when evidenced talk began, 0 if there is no evidence of any."""

    begun_ms: int
    rung_ms: int  # the enterprise's phone
    talk_ms: int
    unit_answered: bool
    outcome: str  # AttemptOutcome


class Past(NamedTuple):
    """What an order was up to `until_ms`, where that has become another."""

    until_ms: int
    unit_id: str
    state: str
    due_ms: int
    acknowledged_ms: int
    self_reported_ms: int
    returns: int


class Facts(NamedTuple):
    """What compliance asks of an order; `past` comes oldest first."""

    order_id: str
    unit_id: str
    counted_as: str  # after_hours, missed_in_hours or online
    state: str
    opened_ms: int
    due_ms: int
    acknowledged_ms: int = 0
    self_reported_ms: int = 0
    returns: int = 0
    tries: tuple[Try, ...] = ()
    past: tuple[Past, ...] = ()


@dataclass(frozen=True)
class Rule:
    """By when an order must be settled: each order's own deadline, or what another rule would have asked."""

    name: str
    title: str
    due_ms: Callable[[Facts], int]


OWN_RULE = Rule("own", "各工单当时的规则", lambda facts: facts.due_ms)

# The unit's phone had been answered when one of these came about.
ANSWERED = frozenset(outcome.value for outcome in (
    AttemptOutcome.NOT_ACCEPTED, AttemptOutcome.PASSED_ON, AttemptOutcome.IN_TEN_MINUTES,
    AttemptOutcome.ENTERPRISE_BUSY, AttemptOutcome.ENTERPRISE_NO_ANSWER, AttemptOutcome.ENTERPRISE_REFUSED,
    AttemptOutcome.TALK_TOO_SHORT, AttemptOutcome.REACHED,
))  # fmt: skip
_TRIED = frozenset(outcome.value for outcome in AttemptOutcome if outcome.counts_as_tried)


def milliseconds(at: datetime | None) -> int:
    """Return an instant in whole milliseconds since the epoch, 0 for None."""
    return (at - _EPOCH) // _MILLISECOND if at else 0


def instant_ms(text: object) -> int:
    """Return the same of an instant in ISO 8601 with an offset, as the journal has it; 0 for what is none."""
    try:
        return milliseconds(datetime.fromisoformat(str(text))) if text else 0
    except (TypeError, ValueError):
        return 0


def facts_of(order: Order) -> Facts:
    """Return what compliance asks of `order`."""
    return Facts(
        order_id=order.order_id,
        unit_id=order.unit_id,
        counted_as=counted_as(order),
        state=order.state.value,
        opened_ms=milliseconds(order.opened_at),
        due_ms=milliseconds(order.deadline.due_at),
        acknowledged_ms=milliseconds(order.acknowledged_at),
        self_reported_ms=milliseconds(order.self_reported_at),
        returns=order.returns,
        tries=tuple(map(try_of, order.attempts)),
        past=tuple(Past(*one) for one in order.past),
    )


def known_at(facts: Facts, at_ms: int) -> Facts:
    """Return an order as a report of `at_ms` knows it; its unit and what it claims are those of the deadline.

    What came after is left out: who has the order today did not break a promise that another unit had to keep, and a
    claim that was taken back after the deadline was made before it. Attempts carry their own instants.
    """
    if not facts.past:
        return facts
    then = _as_of(facts, at_ms)
    at_deadline = _as_of(facts, min(at_ms, then.due_ms))
    return at_deadline._replace(state=then.state, due_ms=then.due_ms)


def _as_of(facts: Facts, at_ms: int) -> Facts:
    past = next((past for past in facts.past if past.until_ms > at_ms), None)
    return facts if past is None else facts._replace(**{k: v for k, v in past._asdict().items() if k != "until_ms"})


def counted_as(order: Order) -> str:
    """Return among which orders it is counted: nobody missed a call when a chat asked for one in working hours."""
    was_in_hours = order.deadline.counted_as == "missed_in_hours"
    return "online" if was_in_hours and order.kind is OrderKind.ONLINE else order.deadline.counted_as


def try_of(attempt: Attempt) -> Try:
    """Return what compliance asks of `attempt`."""
    evidence = attempt.evidence
    is_proved = evidence is not None and proves(evidence)
    return Try(
        begun_ms=milliseconds(attempt.begun_at),
        rung_ms=milliseconds(attempt.enterprise_rung_at),
        talk_ms=milliseconds(evidence.talk_began_at) if evidence is not None and is_proved else 0,
        unit_answered=evidence is not None and evidence.unit_answered_at is not None,
        outcome=attempt.outcome.value,
    )


def verdict(order: Order, at: datetime, rule: Rule = OWN_RULE) -> Verdict:
    """Return the class of `order` at `at` under `rule`."""
    at_ms = milliseconds(at)
    facts = known_at(facts_of(order), at_ms)
    return judge(facts, at_ms, rule.due_ms(facts))


def judge(facts: Facts, at_ms: int, due_ms: int, talk_ms: int | None = None) -> Verdict:
    """Return the class at `at_ms` of an order due at `due_ms`; who knows it gives its `first_talk_ms`."""
    if facts.state == MERGED:
        return Verdict.MERGED
    if talk_ms is None:
        talk_ms = first_talk_ms(facts, at_ms)
    if talk_ms and talk_ms < due_ms:
        return Verdict.ON_TIME
    claimed = 0 < facts.self_reported_ms <= at_ms and facts.self_reported_ms < due_ms
    if at_ms < due_ms:
        return Verdict.SELF_REPORTED if claimed else Verdict.NOT_YET_DUE
    if tries_before(facts, due_ms) >= TRIES_THAT_EXCUSE:
        return Verdict.ATTEMPTED
    if talk_ms:
        return Verdict.LATE
    return Verdict.SELF_REPORTED if claimed else Verdict.MISSED


def first_talk_ms(facts: Facts, at_ms: int) -> int:
    """Return when the first evidenced talk known at `at_ms` began, 0 if there was none."""
    first_ms = 0
    for one in facts.tries:
        if 0 < one.talk_ms <= at_ms and not 0 < first_ms < one.talk_ms:
            first_ms = one.talk_ms
    return first_ms


def tries_before(facts: Facts, until_ms: int) -> int:
    """Return how often the enterprise's phone was rung before `until_ms`, for nothing."""
    return sum((one.rung_ms or one.begun_ms) < until_ms and one.outcome in _TRIED for one in facts.tries)


def stage(facts: Facts, at_ms: int) -> Stage:
    """Return how far the furthest try begun by `at_ms` has come."""
    furthest = Stage.NEVER_DIALLED
    for one in facts.tries:
        if one.begun_ms > at_ms:
            continue
        if 0 < one.talk_ms <= at_ms:
            return Stage.JOINED
        if one.unit_answered or one.outcome in ANSWERED:
            furthest = Stage.NOT_JOINED
        elif furthest is Stage.NEVER_DIALLED:
            furthest = Stage.NOT_ANSWERED
    return furthest
