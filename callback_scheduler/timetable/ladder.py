"""The morning ladder of one order: which step is planned for when, which are due, whom they let ring."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import Enum
from functools import lru_cache

from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from config.ladder import LadderRules, LadderSettings
from routing.calendar import Calendar
from routing.clock import SHANGHAI

# A step found so much after its time was missed by a stop or a clock, not by the length of a sweep.
LATE_AFTER = timedelta(seconds=60)
ALL_TIERS = 99
_SETTLED = frozenset({OrderState.REACHED, OrderState.CLOSED, OrderState.MERGED})


class Step(Enum):
    """A rung of the ladder, in order of time; a promise has its own hour."""

    DIGEST = "digest"  # the workday before: the unit gets the list of what it owes
    REMINDER = "reminder"  # the unit is reminded
    FIRST_DIAL = "first_dial"  # from now on the service dials, first tier first
    SECOND_TIER = "second_tier"  # the second tier is rung too
    HEAD = "head"  # everybody of the unit is rung, the head of section among them
    LEADER = "leader"  # the unit's leader is rung, supervisors are alarmed
    PROMISE = "promise"  # "in ten minutes" has passed and nobody rang
    BREACH = "breach"  # the deadline: without proof the order is frozen overdue


DueStep = tuple[Step, datetime, bool]  # step, when it was planned for, whether it is late

_MORNING = (Step.DIGEST, Step.REMINDER, Step.FIRST_DIAL, Step.SECOND_TIER, Step.HEAD, Step.LEADER)
_RANK = {step: rank for rank, step in enumerate(Step)}
# A step on the left says nothing more once one of those on the right is due as well.
_SUPERSEDED_BY = {
    Step.DIGEST: frozenset(Step) - {Step.DIGEST, Step.PROMISE},
    Step.REMINDER: frozenset(Step) - {Step.DIGEST, Step.REMINDER, Step.PROMISE},
    Step.SECOND_TIER: frozenset({Step.HEAD, Step.LEADER, Step.BREACH}),
    Step.HEAD: frozenset({Step.LEADER, Step.BREACH}),
    Step.LEADER: frozenset({Step.BREACH}),
}


def step_key(step: Step, order: Order) -> str:
    """Return the name under which a step is recorded: a re-dated order, or a new promise, begins anew."""
    return _key(step, order.promised_at if step is Step.PROMISE and order.promised_at else order.due_at)


def _key(step: Step, until: datetime) -> str:
    return f"{step.value}@{until.astimezone(SHANGHAI).isoformat()}"


Planned = tuple[Step, datetime, str]  # step, time, key


def plan(order: Order, rules: LadderRules, calendar: Calendar) -> tuple[Planned, ...]:
    """Return all steps of an order with their times and keys, earliest first.

    A step that would come at the deadline or after it (another rule than 10:00 may have made that) is left out.
    """
    times = (
        rules.digest_at, rules.reminder_at, rules.first_dial_at, rules.second_tier_at, rules.head_at, rules.leader_at,
    )  # fmt: skip
    morning = _morning(order.due_at, times, calendar)
    if order.promised_at is None:
        return morning
    promise = (Step.PROMISE, order.promised_at, _key(Step.PROMISE, order.promised_at))
    return tuple(sorted([*morning, promise], key=_by_time))


@lru_cache(maxsize=4096)  # all orders of a unit and a day share it, and every sweep asks
def _morning(due_at: datetime, times: tuple[time, ...], calendar: Calendar) -> tuple[Planned, ...]:
    due_at = due_at.astimezone(SHANGHAI)
    day = due_at.date()
    days = [_workday_before(calendar, day), *[day] * (len(times) - 1)]
    planned = [
        (step, datetime.combine(on, of_day, SHANGHAI), _key(step, due_at))
        for step, on, of_day in zip(_MORNING, days, times, strict=True)
    ]
    breach = (Step.BREACH, due_at, _key(Step.BREACH, due_at))
    return tuple(sorted([*(one for one in planned if one[1] < due_at), breach], key=_by_time))


def _by_time(planned: Planned) -> tuple[datetime, int]:
    return planned[1], _RANK[planned[0]]


def _workday_before(calendar: Calendar, day: date) -> date:
    before = day - timedelta(days=1)
    while not calendar.day(before).is_workday:
        before -= timedelta(days=1)
    return before


def pending_steps(order: Order, ladder: LadderSettings, calendar: Calendar) -> list[tuple[Step, datetime]]:
    """Return the steps of an order that are still to come or to be caught up, earliest first."""
    if order.state in _SETTLED:
        return []
    return [
        (step, planned_at)
        for step, planned_at, key in plan(order, ladder.of(order.unit_id), calendar)
        if key not in order.steps_done and _applies(step, planned_at, order)
    ]


def _applies(step: Step, planned_at: datetime, order: Order) -> bool:
    if step is Step.DIGEST:
        return order.opened_at <= planned_at  # who came later is told of when it comes
    if step is Step.BREACH:
        was_kept = order.reached_at is not None and order.reached_at < order.due_at
        return order.overdue_at is None and not was_kept  # a reopened order may have been kept in time
    # The unit says that it has rung: evidence is asked for at the deadline, not by more rings.
    return order.state is not OrderState.SELF_REPORTED


def due_steps(order: Order, at: datetime, ladder: LadderSettings, calendar: Calendar) -> list[DueStep]:
    """Return the steps of an order that are due at `at`, earliest first; late is what should have been done before."""
    due: list[DueStep] = []
    for step, planned_at in pending_steps(order, ladder, calendar):
        if planned_at <= at:
            should_begin_at = max(planned_at, order.opened_at)
            due.append((step, planned_at, at - should_begin_at > LATE_AFTER))
    return due


def superseding(step: Step, due: list[DueStep]) -> Step | None:
    """Return the latest step among `due` that makes `step` pointless; None if it still helps."""
    later = [other for other, _, _ in due if other in _SUPERSEDED_BY.get(step, frozenset())]
    return max(later, key=_RANK.__getitem__, default=None)


def tiers_open(order: Order) -> int:
    """Return how many tiers of the unit may be rung for an order by the steps it has been through."""
    due = f"@{order.due_at.astimezone(SHANGHAI).isoformat()}"
    done = {key.removesuffix(due) for key in order.steps_done if key.endswith(due)}
    if order.overdue_at is not None or done & {Step.HEAD.value, Step.LEADER.value, Step.BREACH.value}:
        return ALL_TIERS
    has_broken_promise = any(key.startswith(f"{Step.PROMISE.value}@") for key in order.steps_done)
    return 2 if has_broken_promise or Step.SECOND_TIER.value in done else 1


def next_step_at(order: Order, after: datetime, ladder: LadderSettings, calendar: Calendar) -> datetime | None:
    """Return when the next step of an order comes after `after`; None if none does."""
    return min((at for _, at in pending_steps(order, ladder, calendar) if at > after), default=None)
