"""The one gate of every outgoing call: whether a number may be rung now, for what, and if not, why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from callback_scheduler.orders.holds import Hold
from callback_scheduler.orders.order import AttemptOutcome, Order
from callback_scheduler.timetable.whose_turn import is_in_window, is_workday, tries_on
from config.bounds import DialBounds
from config.ladder import LadderSettings
from routing.calendar import Calendar
from routing.clock import SHANGHAI


class DialFor(Enum):
    """What somebody is rung for."""

    TIMETABLE = "timetable"  # the callback of an order, when its time has come
    CLICK = "click"  # the same because somebody asked for it, on a page or by the API
    PROGRAM = "program"  # the same because another program asked for it, with nobody at a page
    DIAL_IN = "dial_in"  # the enterprise, for a specialist who rang in
    LEADER = "leader"  # the leader of a unit, by the timetable
    LEADER_CLICK = "leader_click"  # the same because somebody asked for it
    NUMBER_CHECK = "number_check"  # a number of the directory, to see that it rings
    LIVE = "live"  # somebody to talk with a caller who is on the line
    OWN_PHONE = "own_phone"  # the phone of the person who asks


class DialReason(Enum):
    """Why a number may not be rung now; the value is the key of a refusal."""

    NUMBER = "dial.number"  # nobody may ring it, ever
    HELD = "dial.held"  # a person must look at the order first
    HOURS = "dial.hours"  # not at this time of day
    PAUSE = "dial.pause"  # somebody was rung a moment ago
    ORDER_CAP = "dial.order_cap"  # often enough today about this order
    NUMBER_CAP = "dial.number_cap"  # often enough today at this number


_BY_HAND = frozenset({DialFor.CLICK, DialFor.PROGRAM, DialFor.DIAL_IN, DialFor.LEADER_CLICK, DialFor.NUMBER_CHECK})
_OF_AN_ORDER = frozenset({DialFor.TIMETABLE, DialFor.CLICK, DialFor.PROGRAM, DialFor.DIAL_IN})
_BY_NOBODY = frozenset({DialFor.TIMETABLE, DialFor.PROGRAM})  # nobody has looked at the order
# No person's reason outweighs these.
NEVER_OVERRULED = frozenset({DialReason.NUMBER})


@dataclass(frozen=True, slots=True)
class DialRefusal:
    """A call that may not be placed; `wait_s` says when it may, as far as only a pause is in the way."""

    reason: DialReason
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What a site allows: hours and tries of the ladder, bounds on what people ask for, numbers, opening hours."""

    ladder: LadderSettings
    bounds: DialBounds
    calendar: Calendar
    may_be_rung: Callable[[str], bool]
    is_open: Callable[[datetime], bool] = lambda at: False


@dataclass(frozen=True, slots=True, kw_only=True)
class DialPast:
    """What has been: the order to be rung about, the open orders of its number, when the number was rung for this."""

    order: Order | None = None
    of_number: Iterable[Order] = ()
    rung_at: tuple[datetime, ...] = ()


_NO_PAST = DialPast()


def may_dial_now(
    unit_id: str, number: str, now: datetime, why: DialFor, *, rules: GateRules, past: DialPast = _NO_PAST
) -> DialRefusal | None:
    """Return why `number` may not be rung `now` for a unit; None if it may. Pure; the first reason counts.

    Number rules hold for everybody. Somebody for a caller on the line, and a person's own phone, are rung at any
    hour; the timetable has the ladder's hours, people have those of `DialBounds`.
    """
    if not rules.may_be_rung(number):
        return DialRefusal(DialReason.NUMBER)
    if why in (DialFor.LIVE, DialFor.OWN_PHONE):
        return None
    return next(_in_the_way(unit_id, number, now, why, rules=rules, past=past), None)


def _in_the_way(
    unit_id: str, number: str, now: datetime, why: DialFor, *, rules: GateRules, past: DialPast
) -> Iterator[DialRefusal]:
    """Yield what a person could overrule, the weightiest first."""
    if past.order is not None and _is_held(past.order, why):
        yield DialRefusal(DialReason.HELD)
    if not _is_the_hour(unit_id, now, why, rules, past.order):
        yield DialRefusal(DialReason.HOURS)
    if why in _BY_HAND and (wait_s := _pause_s(now, rules.bounds, past)) > 0:
        yield DialRefusal(DialReason.PAUSE, wait_s)
    if why in _OF_AN_ORDER and past.order is not None and _is_tried_out(unit_id, now, rules, past.order):
        yield DialRefusal(DialReason.ORDER_CAP)
    if _rings_on(number, now, past) >= rules.bounds.rings_per_number_per_day:
        yield DialRefusal(DialReason.NUMBER_CAP)


def _is_held(order: Order, why: DialFor) -> bool:
    """Whether a person must look first; whose number said that the order is not theirs is not for anybody to ring."""
    if order.hold_reason == Hold.NOT_THEIRS:
        return why in _OF_AN_ORDER
    return bool(order.hold_reason) and why in _BY_NOBODY


def _is_the_hour(unit_id: str, now: datetime, why: DialFor, rules: GateRules, order: Order | None) -> bool:
    ladder = rules.ladder.of(unit_id)
    if why is DialFor.TIMETABLE:
        return order is not None and is_in_window(now, order, ladder, rules.calendar)
    local = now.astimezone(SHANGHAI)
    is_day = is_workday(rules.calendar, local.date()) or (
        order is not None and local.date() == order.due_at.astimezone(SHANGHAI).date()
    )
    starts, ends = rules.bounds.by_hand_from, rules.bounds.by_hand_until
    if why is DialFor.LEADER:  # the ladder's own steps are within the hours by definition
        starts, ends = min(starts, ladder.head_at), max(ends, ladder.dial_until)
    return (is_day and starts <= local.time() < ends) or rules.is_open(now)


def _pause_s(now: datetime, bounds: DialBounds, past: DialPast) -> float:
    """Return how long to wait after whoever was rung last about the order, or at the number for the same."""
    attempts = past.order.attempts if past.order is not None else ()
    rang = [one for one in attempts if one.outcome not in (AttemptOutcome.UNDER_WAY, AttemptOutcome.CALLED_OFF)]
    moments = [one.ended_at or one.begun_at for one in rang] + list(past.rung_at)
    if not moments:
        return 0.0
    return (max(moments) + timedelta(seconds=bounds.by_hand_pause_s) - now).total_seconds()


def _is_tried_out(unit_id: str, now: datetime, rules: GateRules, order: Order) -> bool:
    rang = (one for one in order.attempts if one.outcome is not AttemptOutcome.CALLED_OFF)
    attempts = sum(_is_same_day(one.begun_at, now) for one in rang)
    in_vain = tries_on(order, now)
    return (
        attempts >= rules.bounds.attempts_per_order_per_day
        or in_vain >= rules.ladder.of(unit_id).max_tries_per_day
    )


def _rings_on(number: str, now: datetime, past: DialPast) -> int:
    """Return how often a number was rung on the day of `now`: an enterprise's about any of its open orders."""
    orders = {order.order_id: order for order in past.of_number if order.callback_number == number}
    if past.order is not None and past.order.callback_number == number:
        orders[past.order.order_id] = past.order
    rung = [
        one.enterprise_rung_at
        for order in orders.values()
        for one in order.attempts
        if one.enterprise_rung_at is not None and one.number == number
    ]
    return sum(_is_same_day(at, now) for at in (*rung, *past.rung_at))


def _is_same_day(one: datetime, other: datetime) -> bool:
    return one.astimezone(SHANGHAI).date() == other.astimezone(SHANGHAI).date()
