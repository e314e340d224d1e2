"""The steps of the ladder, done: orders handed over, units reminded, escalated about, breaches frozen.

A notice is given before its step is recorded, a phone is rung after: a node that dies in between tells twice (under
the same key), and rings nobody twice. Only the node that holds the sweeps' lease is at work here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from twisted.internet.defer import Deferred, DeferredSemaphore, ensureDeferred

from callback_scheduler.errors import FencedOff, IllegalTransition, SchedulerError, StaleOrder, UnknownOrder
from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.orders.actor import TIMETABLE
from callback_scheduler.orders.causes import breach_cause
from callback_scheduler.orders.order import AttemptOutcome, BegunBy, Order
from callback_scheduler.orders.states import OrderEvent, OrderState
from callback_scheduler.timetable.in_batches import each
from callback_scheduler.timetable.ladder import DueStep, Step, due_steps, step_key, superseding
from callback_scheduler.timetable.may_dial import DialFor, DialPast, DialReason
from callback_scheduler.timetable.ports import Ports
from callback_scheduler.timetable.whose_turn import UNIT_FAILED
from config.ladder import LadderSettings
from routing.calendar import Calendar
from routing.clock import Clock
from routing.directory import Directory
from routing.errors import UnknownUnit

log = structlog.get_logger()

MayGoOn = Callable[[], Awaitable[bool]]
_CHANGED_MEANWHILE = (StaleOrder, IllegalTransition, UnknownOrder, FencedOff)
_LEADERS_AT_ONCE = 2
# Whoever asked for it: `CallbacksUnderWay` settles it, and freezes what came too late.
_PLACED_BY_US = (BegunBy.TIMETABLE, BegunBy.UNIT)
_WIDENS = frozenset({Step.SECOND_TIER, Step.HEAD, Step.LEADER, Step.PROMISE})
_WORDS = {
    Step.DIGEST: "前一工作日汇总",
    Step.REMINDER: "催办",
    Step.FIRST_DIAL: "开始拨打",
    Step.SECOND_TIER: "升级至第二梯次",
    Step.HEAD: "升级至科室负责人",
    Step.LEADER: "提醒分管领导并告警督办",
    Step.PROMISE: "“十分钟内回电”未兑现",
    Step.BREACH: "逾期",
}
_NOT_RUNG = {
    DialReason.NUMBER: "未拨打：号码不可呼叫",
    DialReason.HELD: "未拨打：工单待人工核对",
    DialReason.HOURS: "未拨打：不在可拨打时段",
    DialReason.PAUSE: "未拨打：刚刚拨打过",
    DialReason.ORDER_CAP: "未拨打：当日次数已满",
    DialReason.NUMBER_CAP: "未拨打：该号码当日次数已满",
}
# What is told to a unit or to supervisors when a step is done for one order.
_TOLD = {Step.REMINDER: "reminder", Step.SECOND_TIER: "escalation", Step.HEAD: "escalation",
         Step.PROMISE: "promise_broken"}


class LadderSteps:
    """Does what is due for orders; `ringing` are the leaders being rung, which no sweep waits for."""

    def __init__(
        self, orders: OrderKeeping, ladder: LadderSettings, directory: Directory, clock: Clock, ports: Ports
    ) -> None:
        self._orders = orders
        self._ladder = ladder
        self._directory = directory
        self._clock = clock
        self._ports = ports
        self._leaders = DeferredSemaphore(_LEADERS_AT_ONCE)
        self.ringing: set[Deferred[Any]] = set()

    async def run(
        self, orders: list[Order], at: datetime, calendar: Calendar, may_go_on: MayGoOn, *, may_climb: bool = True
    ) -> bool:
        """Do what is due for `orders` at `at`; return whether anything was, so that they must be read again.

        Without `may_climb` they are only handed over: a step that is done, or passed over, on the word of a clock that
        is wrong would be missing when its time comes, and a breach frozen on it would stay.
        Stops when `may_go_on` says that another node has taken over. Raises StoreUnavailable or JournalError.
        """
        new = [order for order in orders if order.state is OrderState.OPENED]
        climbing = [order for order in orders if may_climb and due_steps(order, at, self._ladder, calendar)]
        for_unit: dict[tuple[Step, str], list[Order]] = defaultdict(list)

        async def hand_over(order: Order) -> None:
            await self._hand_over(order, at)

        async def climb(order: Order) -> None:
            fresh = await self._orders.order(order.order_id)
            if fresh is not None:
                await self._climb(fresh, due_steps(fresh, at, self._ladder, calendar), at, for_unit)

        if await each(new, hand_over, may_go_on) and await each(climbing, climb, may_go_on):
            for (step, unit_id), group in sorted(for_unit.items(), key=lambda item: (item[0][0].value, item[0][1])):
                if not await self._do_for_unit(step, unit_id, group, at, may_go_on):
                    break
        return bool(new or climbing)

    async def _hand_over(self, order: Order, at: datetime) -> None:
        await self._ports.notices.tell("new_order", order, {"key": f"{order.order_id}/sent/{order.version}"}, at)
        try:
            await self._orders.change_order(order.order_id, OrderEvent.SENT, who=TIMETABLE, at=at)
        except _CHANGED_MEANWHILE as changed:
            log.info("order_changed_meanwhile", order_id=order.order_id, error=str(changed))

    # -- one order ------------------------------------------------------------------------------------------------

    async def _climb(
        self, order: Order, due: list[DueStep], at: datetime, for_unit: dict[tuple[Step, str], list[Order]]
    ) -> None:
        for step, planned_at, is_late in due:
            pointless_by = superseding(step, due)
            if pointless_by is not None:
                why = f"{_WORDS[step]}（原定{planned_at:%m-%d %H:%M}）已迟：{_WORDS[pointless_by]}亦已到时，不再补做"
                await self._note(order, step, why, at)
            elif step in (Step.DIGEST, Step.LEADER):
                for_unit[step, order.unit_id].append(order)
            elif step is Step.BREACH:
                await self._freeze(order, at)
            else:
                if step is Step.HEAD:
                    for_unit[step, order.unit_id].append(order)
                if step in _TOLD:
                    await self._tell(_TOLD[step], order, step, {}, at)
                await self._note(order, step, _why(step, planned_at, is_late), at)

    async def _freeze(self, order: Order, at: datetime) -> None:
        if _may_still_be_kept(order):
            return  # the enterprise was rung before the deadline: what comes of that decides
        cause = breach_cause(order, order.due_at)
        await self._tell("breach", order, Step.BREACH, {"cause": cause}, at)
        changes = {"overdue_at": order.due_at, "breach_cause": cause, "steps_done": [step_key(Step.BREACH, order)]}
        await self._orders.note_order(
            order.order_id, "breach_frozen", who=TIMETABLE, why=cause, changes=changes, at=at
        )  # fmt: skip
        log.warning("breach_frozen", order_id=order.order_id, unit_id=order.unit_id, cause=cause)

    async def _note(self, order: Order, step: Step, why: str, at: datetime) -> None:
        changes: dict[str, Any] = {"steps_done": [step_key(step, order)]}
        last = order.attempts[-1].outcome if order.attempts else None
        if step in _WIDENS and last in UNIT_FAILED:
            changes["dial_after"] = None  # other phones are rung now: those need not wait for a retry
        await self._orders.note_order(order.order_id, "step_done", who=TIMETABLE, why=why, changes=changes, at=at)

    async def _tell(self, kind: str, order: Order, step: Step, extra: dict[str, Any], at: datetime) -> None:
        key = {"key": f"{order.order_id}/{step_key(step, order)}", "step": step.value}
        await self._ports.notices.tell(kind, order, key | extra, at)

    # -- all orders of a unit: one list, one ring --------------------------------------------------------------------

    async def _do_for_unit(
        self, step: Step, unit_id: str, orders: list[Order], at: datetime, may_go_on: MayGoOn
    ) -> bool:
        orders = sorted(orders, key=lambda order: (order.due_at, order.order_id))
        about = {"unit_id": unit_id, "order_ids": [order.order_id for order in orders]}
        if step is Step.DIGEST:
            await self._tell("digest", orders[0], step, about, at)
        elif step is Step.LEADER:
            await self._tell("supervisor_alarm", orders[0], step, about, at)

        async def note(order: Order) -> None:
            await self._note(order, step, f"{_WORDS[step]}（该单位共{len(orders)}件）", at)

        if step is not Step.HEAD and not await each(orders, note, may_go_on):
            return False
        number = self._number_to_ring(step, unit_id)
        refusal = None
        if number:
            refusal = self._ports.may_dial_now(
                unit_id, number, DialFor.LEADER, DialPast(order=orders[0]), max(at, self._clock.now())
            )
        if refusal is not None:
            log.warning("leader_not_rung", unit_id=unit_id, step=step.value, reason=refusal.reason.value)
            await self._note_reminded(step, orders[0], "unreached", _NOT_RUNG[refusal.reason])
        elif number and await may_go_on():
            ringing = self._leaders.run(lambda: ensureDeferred(self._remind(step, orders[0], number)))
            self.ringing.add(ringing)
            ringing.addBoth(lambda _: self.ringing.discard(ringing))
        return True

    def _number_to_ring(self, step: Step, unit_id: str) -> str | None:
        try:
            unit = self._directory.unit(unit_id)
        except UnknownUnit:
            log.error("unit_unknown", unit_id=unit_id)
            return None
        return {Step.HEAD: unit.head_number, Step.LEADER: unit.leader_number}.get(step)

    async def _remind(self, step: Step, order: Order, number: str) -> None:
        """Ring a leader once, for all orders of his unit; what he did with it is noted with the first of them."""

        async def acknowledged() -> bool:
            return await self._note_reminded(step, order, "acknowledged", "已按键确认")

        try:
            if not await self._ports.remind_leader(order, number, acknowledged):
                await self._note_reminded(step, order, "unreached", "未确认")
        except Exception:
            log.exception("leader_reminder_failed", order_id=order.order_id)

    async def _note_reminded(self, step: Step, order: Order, result: str, what: str) -> bool:
        changes = {"steps_done": [step_key(step, order).replace("@", f"_{result}@", 1)]}
        why, at = f"{_WORDS[step]}：{what}", self._clock.now()
        try:
            await self._orders.note_order(order.order_id, "step_done", who=TIMETABLE, why=why, changes=changes, at=at)
        except SchedulerError as wrong:
            log.warning("leader_reminder_not_noted", order_id=order.order_id, error=str(wrong))
            return False
        return True


def _why(step: Step, planned_at: datetime, is_late: bool) -> str:
    return f"{_WORDS[step]}（原定{planned_at:%m-%d %H:%M}，补做）" if is_late else _WORDS[step]


def _may_still_be_kept(order: Order) -> bool:
    last = order.attempts[-1] if order.attempts else None
    return (
        last is not None
        and last.by in _PLACED_BY_US
        and last.outcome is AttemptOutcome.UNDER_WAY
        and last.enterprise_rung_at is not None
        and last.enterprise_rung_at < order.due_at
    )
