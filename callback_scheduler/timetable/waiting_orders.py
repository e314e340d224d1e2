"""The open orders as they were last seen, and the callbacks begun for those whose turn it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, time, timedelta, timezone
from functools import cache

import structlog

from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.orders.order import Order
from callback_scheduler.orders.states import OrderState
from callback_scheduler.timetable.clock_watch import ClockWatch
from callback_scheduler.timetable.ladder import next_step_at, pending_steps, tiers_open
from callback_scheduler.timetable.may_dial import DialFor, DialPast
from callback_scheduler.timetable.ports import Ports
from callback_scheduler.timetable.under_way import CallbacksUnderWay
from callback_scheduler.timetable.whose_turn import dial_from, may_be_owed, to_dial
from config.ladder import LadderSettings
from routing.calendar import Calendar
from routing.clock import SHANGHAI, Clock
from routing.directory import Directory
from routing.errors import UnknownUnit

log = structlog.get_logger()

# Handed over, or ended for a node that is gone, whatever the hour.
_AT_ONCE = frozenset({OrderState.OPENED, OrderState.CALLING_BACK})
_NEVER = datetime.max.replace(tzinfo=timezone.utc)
_NextStep = tuple[Order, datetime]
_DOUBTED_BEYOND = timedelta(hours=24)


class WaitingOrders:
    """Reads the open orders and dials for them; between two readings what this node does itself is kept up to date.

    Whoever is dialled is read again under its lease, so an old picture costs a look and never a second call.
    """

    def __init__(
        self,
        orders: OrderKeeping,
        ladder: LadderSettings,
        directory: Directory,
        *,
        clock: Clock,
        watch: ClockWatch,
        ports: Ports,
        dials: CallbacksUnderWay,
    ) -> None:
        self._orders = orders
        self._ladder = ladder
        self._directory = directory
        self._clock = clock
        self._watch = watch
        self._ports = ports
        self._dials = dials
        self._seen: dict[str, Order] = {}
        self._next_steps: dict[str, _NextStep] = {}
        self._planned_by: Calendar | None = None
        # When something comes at the earliest, None if that must be found anew; what is noted only brings it forward.
        self._next_step_at: datetime | None = None
        self._next_dial_at: datetime | None = None

    async def read(self, at: datetime, calendar: Calendar) -> list[Order]:
        """Take up all open orders due up to the end of the next workday; return those that something must be done for.

        A slice of time after another, so that calls are served in between; only what has changed is read. While the
        clock is doubted those due more than a day ago are left out, and no step of the ladder is done for the others.
        """
        last_day = calendar.next_workday(at.astimezone(SHANGHAI).date()).on
        seen: dict[str, Order] = {}
        next_steps: dict[str, _NextStep] = {}
        for time_slice in await self._orders.due_slices(datetime.combine(last_day, time.max, SHANGHAI)):
            for order in await self._orders.due_in(time_slice, self._seen):
                seen[order.order_id] = order
                next_steps[order.order_id] = self._next_step(order, calendar)
        self._seen, self._next_steps, self._planned_by = seen, next_steps, calendar
        self._next_step_at = self._next_dial_at = None
        beyond = _DOUBTED_BEYOND if self._watch.is_doubted else timedelta.max
        waiting = (order for order, step_at in next_steps.values() if order.state in _AT_ONCE or step_at <= at)
        return [order for order in waiting if at - order.due_at <= beyond]

    def _next_step(self, order: Order, calendar: Calendar) -> _NextStep:
        """Return when the first step of `order` that is not done was planned for; remembered until it changes."""
        known = self._next_steps.get(order.order_id)
        if known is not None and known[0] is order and self._planned_by is calendar:
            return known
        steps = pending_steps(order, self._ladder, calendar)
        return order, steps[0][1] if steps else _NEVER

    def note(self, order_id: str, order: Order | None) -> None:
        """Take up what became of an order that this node has worked on; None if that is not known."""
        if order is not None and order.state.is_open:
            self._seen[order_id] = order
            self._comes_no_later(order)
        else:
            self._seen.pop(order_id, None)

    def _comes_no_later(self, order: Order) -> None:
        if self._next_step_at is not None and order.promised_at is not None:
            self._next_step_at = min(self._next_step_at, order.promised_at)
        if self._next_dial_at is not None and order.dial_after is not None:
            self._next_dial_at = min(self._next_dial_at, order.dial_after)

    async def dial(self, at: datetime, calendar: Calendar) -> bool:
        """Begin the callbacks that may begin at `at`; return whether more could than one go may begin."""
        chosen = to_dial(
            self._near(at),
            at,
            self._ladder,
            calendar,
            free_lines=min(self._ports.free_lines(), self._ladder.dials_per_sweep),
            phones_of=self._phones_at(at),
            phones_in_use=self._ports.phones_in_use(),
            under_way=self._dials.under_way,
            may_dial=self._gate(at),
        )

        def is_its_turn(order: Order) -> bool:
            now = max(at, self._clock.now())  # a node that stood still meanwhile rings nobody at night
            earliest = dial_from(order, now, self._ladder, calendar)
            return earliest is not None and earliest <= now

        for order in chosen:
            # A line that was free a moment ago may have a live caller now.
            if self._ports.free_lines() > 0:
                self.note(order.order_id, await self._dials.begin(order.order_id, at, is_its_turn))
        return len(chosen) == self._ladder.dials_per_sweep

    def _gate(self, at: datetime) -> Callable[[Order], bool]:
        """Return what asks the gate about an order, with all that is known to be owed to its number."""
        of_number: dict[str, list[Order]] = defaultdict(list)
        for order in self._seen.values():
            of_number[order.callback_number].append(order)

        def may_dial(order: Order) -> bool:
            past = DialPast(order=order, of_number=of_number[order.callback_number])
            asked = (order.unit_id, order.callback_number, DialFor.TIMETABLE, past, at)
            return self._ports.may_dial_now(*asked) is None

        return may_dial

    def oldest_undialled_s(self, at: datetime) -> float:
        """Return for how long the oldest order that is due and may be dialled has been so without any attempt, or 0.

        What waits for a person, who must find out its number first or let it be dialled, is not the timetable's.
        """
        ours = (order for order in self._seen.values() if not order.attempts and may_be_owed(order))
        waiting = (order.due_at for order in ours if order.due_at <= at)
        oldest = min(waiting, default=at)
        return (at - oldest).total_seconds()

    def _near(self, at: datetime) -> Iterable[Order]:
        if not self._watch.is_doubted:
            return self._seen.values()
        return [order for order in self._seen.values() if abs(order.due_at - at) <= _DOUBTED_BEYOND]

    def _phones_at(self, at: datetime) -> Callable[[Order], frozenset[str]]:
        """Return what gives the numbers of who is there at the unit that has an order, in the tiers open by then."""

        @cache
        def phones(unit_id: str, tiers_open: int) -> frozenset[str]:
            try:
                tiers = self._directory.unit_tiers(unit_id, at)[:tiers_open]
            except UnknownUnit:
                log.error("unit_unknown", unit_id=unit_id)
                return frozenset()
            return frozenset(person.number for tier in tiers for person in tier.specialists)

        return lambda order: phones(order.unit_id, tiers_open(order))

    # -- how long there is nothing to do ------------------------------------------------------------------------------

    def next_step_s(self, at: datetime, calendar: Calendar) -> float:
        """Return in how many seconds the next step comes, at the latest midnight: a new day, new orders to see."""
        if self._next_step_at is None or self._next_step_at <= at:
            midnight = datetime.combine(at.astimezone(SHANGHAI).date() + timedelta(days=1), time.min, SHANGHAI)
            self._next_step_at = min([midnight, *self._steps_after(at, calendar)])
        return self._seconds_until(self._next_step_at)

    def _steps_after(self, at: datetime, calendar: Calendar) -> Iterator[datetime]:
        for order in self._seen.values():
            _, first_at = self._next_step(order, calendar)
            # one that is due and could not be done hides those behind it
            step_at = first_at if first_at > at else next_step_at(order, at, self._ladder, calendar)
            if step_at is not None:
                yield step_at

    def next_dial_s(self, at: datetime, calendar: Calendar) -> float | None:
        """Return in how many seconds the next order may be dialled that may not yet be; None if there is none."""
        if self._next_dial_at is None or self._next_dial_at <= at:
            moments = (dial_from(order, at, self._ladder, calendar) for order in self._seen.values())
            self._next_dial_at = min((one for one in moments if one is not None and one > at), default=None)
        return None if self._next_dial_at is None else self._seconds_until(self._next_dial_at)

    def _seconds_until(self, moment: datetime) -> float:
        return max(0.0, (moment - self._clock.now()).total_seconds())
