"""What people do with orders: acknowledge, ring, pass on, answer, close; the journal tells who did it, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred

from callback_scheduler.errors import IllegalTransition, SchedulerError, StaleOrder, UnknownOrder
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import AttemptOutcome, BegunBy, Order
from callback_scheduler.orders.rejudging import later_deadline, rejudged
from callback_scheduler.orders.states import TRANSITIONS, OrderEvent, OrderState
from callback_scheduler.orders.words import STATES
from callback_scheduler.store.search import OrderFilter
from callback_scheduler.timetable.ports import Ports
from callback_scheduler.timetable.timetable import Timetable
from callback_scheduler.timetable.under_way import CallbackRequest
from config.settings import Settings, SipSettings
from ivr.calls.office import Office
from ivr.calls.presence import Presence
from ivr.dispatch.outgoing import OutgoingCalls
from ivr.refused import OperationRefused
from node.operations.dial_gate import DialGate
from node.operations.enterprise_names import NAMED, NAMED_WHY, enterprise_named
from node.operations.order_refusals import EVENT_WORDS, OrderRefusal
from routing.clock import Clock
from routing.dial_rules import DialRules, dial_rules
from routing.directory import Unit
from routing.errors import UnknownUnit

log = structlog.get_logger()

_LONGEST_TEXT = 4000


class OrderOperations:
    """Reads orders and acts on them: `who` acts for a unit on that unit's only.

    Every act is on disk on return, and gives the order as it is then. OperationRefused if it is not possible now;
    StoreUnavailable while Redis is away.
    """

    def __init__(
        self, ledger: Ledger, *, timetable: Timetable, ports: Ports, callbacks: OutgoingCalls, office: Office,
        presence: Presence, clock: Clock, own_numbers: Sequence[str], rules: DialRules | None = None,
    ) -> None:  # fmt: skip
        """`rules` are the site's; without them those of a site that has set nothing but its `own_numbers`."""
        self._ledger, self._timetable, self._ports, self._callbacks = ledger, timetable, ports, callbacks
        self._office, self._presence, self._clock, self._own_numbers = office, presence, clock, own_numbers
        self._rules = rules or dial_rules(Settings(sip=SipSettings(own_numbers=tuple(own_numbers))))
        self._gate = DialGate(office, ledger, clock)
        self._reminding: set[str] = set()
        self._under_way: set[Deferred[None]] = set()

    # -- reading ----------------------------------------------------------------------------------------------------

    async def one(self, order_id: str) -> Order | None:
        """Return the order a number counts as; None if it was never given."""
        return await self._ledger.orders.order(order_id)

    async def find(self, filters: OrderFilter) -> list[Order]:
        """Return a page of orders, newest first."""
        return await self._ledger.orders.find_orders(filters)

    async def owed(self, limit: int = 1000) -> list[Order]:
        """Return open orders, earliest deadline first."""
        return await self._ledger.orders.open_orders(limit)

    async def due_before(self, at: datetime, limit: int = 1000) -> list[Order]:
        """Return open orders due at `at` or before, earliest deadline first."""
        return await self._ledger.orders.due_before(at, limit)

    async def named(self, order_ids: list[str]) -> list[Order]:
        """Return orders by their numbers: those behind a figure."""
        return await self._ledger.orders.orders_of(order_ids)

    async def counts(self) -> dict[tuple[str, str], int]:
        """Return how many orders each unit has in each state, by unit and state."""
        return await self._ledger.orders.count_orders()

    async def events(self, order_id: str) -> list[dict[str, Any]]:
        """Return what has happened to an order, oldest first: event_id, type, at (ISO 8601) and payload."""
        return await self._ledger.orders.order_events(order_id)

    # -- what a unit does -------------------------------------------------------------------------------------------

    async def acknowledge(self, order_id: str, who: Actor) -> Order:
        """Note that the unit has seen the order."""
        return await self._change(order_id, OrderEvent.ACKNOWLEDGED, who)

    async def give_back(self, order_id: str, why: str, who: Actor) -> Order:
        """退单: the unit says that it is not responsible; the deadline stays."""
        return await self._change(order_id, OrderEvent.RETURNED, who, _text(why))

    async def self_report(self, order_id: str, text: str, who: Actor) -> Order:
        """Note that the unit says it has rung: kept apart from evidence, and never counted as on time by itself."""
        return await self._change(order_id, OrderEvent.SELF_REPORTED, who, _text(text))

    async def write_answer(self, order_id: str, text: str, who: Actor) -> Order:
        """Keep what the unit answers in writing (答复) with the order; the last one counts, all are in the journal."""
        text = _text(text)
        await self._own(order_id, who)
        at = self._clock.now()
        changes = {"written_answer": text, "written_answer_at": at, "written_answer_by": str(who)}
        return await self._ledger.orders.note_order(
            order_id, "answer_written", who=str(who), why="书面答复", changes=changes, at=at
        )

    async def name_enterprise(self, order_id: str, company: str, contact: str, who: Actor) -> Order:
        """Keep the name of the enterprise and whom to ask for there; "" leaves what is known."""
        named = enterprise_named(company, contact)
        order = await self._own(order_id, who)
        return await self._ledger.orders.note_order(
            order.order_id, NAMED, who=str(who), why=NAMED_WHY, changes=named, at=self._clock.now()
        )

    async def ring_back(self, order_id: str, number: str, who: Actor, own_number: str = "") -> Order:
        """Ring `number` at the unit, and once 1 is pressed there the enterprise; returns when the attempt has begun.

        `number` is one of the unit's in the directory, or `own_number`: the phone of the account that asks, which the
        caller of this has checked. The evidence is that of any callback.
        """
        order, rules = await self._own(order_id, who), self._rules
        number, own_number = rules.house(number) or "", rules.house(own_number) or ""
        if not number or number not in self._numbers_of(order.unit_id) | {own_number}:
            raise OrderRefusal.FOREIGN_NUMBER.error()
        if number in self._own_numbers or number == order.callback_number:
            raise OrderRefusal.FOREIGN_NUMBER.error()
        if not self._presence.is_free(number):
            raise OrderRefusal.PHONE_BUSY.error()
        self._gate.pass_phone(order.unit_id, number, who)
        return await self._dial(order, CallbackRequest(BegunBy.UNIT, str(who), "单位点击回电", number), who)

    async def set_number(self, order_id: str, number: str, why: str, who: Actor) -> Order:
        """Enter the number that the enterprise is rung back at: somebody has found it out, and says how."""
        why, order = _text(why), await self._own(order_id, who)
        callback_number = self._rules.callback(number)
        if callback_number is None:
            raise OrderRefusal.NOT_DIALABLE.error()
        if not order.state.is_open or order.state is OrderState.CALLING_BACK:
            raise self._illegal(order, "更改回电号码")
        changed = await self._ledger.orders.note_order(
            order.order_id, "number_changed", who=str(who), why=why, changes={"callback_number": callback_number},
            at=self._clock.now(),
        )  # fmt: skip
        self._timetable.wake()
        return changed

    # -- what supervisors do ----------------------------------------------------------------------------------------

    async def ring_unit_now(self, order_id: str, who: Actor, overrule: str = "") -> Order:
        """Begin the callback of an order now, as the timetable would; returns when the attempt has begun.

        Hours, pauses and daily caps are the gate's (`may_dial`); a supervisor overrules them by a reason.
        """
        order = await self._own(order_id, who)
        tiers = self._office.unit_tiers(self._unit(order.unit_id).unit_id)
        phones = {person.number for tier in tiers for person in tier.specialists}
        if not phones:
            raise OrderRefusal.NOBODY_THERE.error()
        if not any(self._presence.is_free(phone) for phone in phones):
            raise OrderRefusal.UNIT_BUSY.error()
        return await self._dial(order, CallbackRequest(BegunBy.TIMETABLE, str(who), "人工要求立即拨打"), who, overrule)

    async def remind_leader(self, order_id: str, who: Actor, overrule: str = "") -> Order:
        """Ring the leader of the unit (else the head of section) about an order; returns when that has begun.

        What they did with it is noted in the order afterwards. `overrule` as with `ring_unit_now`.
        """
        order = await self._own(order_id, who)
        if not order.state.is_open:
            raise self._illegal(order, "提醒负责人")
        unit = self._unit(order.unit_id)
        number = unit.leader_number or unit.head_number
        if not number:
            raise OrderRefusal.NO_LEADER.error(unit=unit.name)
        if order.order_id in self._reminding or not self._presence.is_free(number):
            raise OrderRefusal.PHONE_BUSY.error()
        if self._ports.free_lines() <= 0:
            raise OrderRefusal.NO_LINE.error()
        why = self._gate.pass_leader(order, number, who, overrule) or "督办提醒负责人"
        self._gate.note_leader(number)
        self._reminding.add(order.order_id)  # before anything is waited for: nobody is rung twice
        try:
            noted = await self._ledger.orders.note_order(
                order.order_id, "leader_reminder_begun", who=str(who), why=why, at=self._clock.now()
            )
        except BaseException:
            self._reminding.discard(order.order_id)
            raise
        reminder = ensureDeferred(self._remind(noted, number, who))  # who asked is told that it has begun, no more
        self._under_way.add(reminder)
        reminder.addBoth(lambda _: self._under_way.discard(reminder))
        return noted

    async def reassign(self, order_id: str, unit_id: str, why: str, who: Actor) -> Order:
        """改派: give an order to another unit, which is told; the deadline stays (design rule 19)."""
        order = await self._own(order_id, who)
        unit = self._unit(unit_id)
        if unit.unit_id == order.unit_id:
            raise OrderRefusal.SAME_UNIT.error(unit=unit.name)
        changed = await self._change(order_id, OrderEvent.REASSIGNED, who, _text(why), {"unit_id": unit_id})
        if changed.state is OrderState.SENT:  # one not handed over yet is told of by the timetable
            key = f"{changed.order_id}/reassigned@{changed.version}"
            await self._ports.notices.tell("new_order", changed, {"key": key}, self._clock.now())
        return changed

    async def close(self, order_id: str, why: str, who: Actor) -> Order:
        """End an order: nothing is owed any more."""
        return await self._change(order_id, OrderEvent.CLOSED, who, _text(why))

    async def reopen(self, order_id: str, why: str, who: Actor) -> Order:
        """Open an order that was settled once more."""
        return await self._change(order_id, OrderEvent.REOPENED, who, _text(why))

    async def rejudge(self, order_id: str, why: str, who: Actor) -> Order:
        """Judge a frozen breach again by the calendar as it is now; the record keeps both judgements."""
        why = _text(why)
        order = await self._own(order_id, who)
        due = later_deadline(order, self._office.calendar)
        if due is None:
            raise OrderRefusal.NOTHING_TO_REJUDGE.error()
        at = self._clock.now()
        changed = await self._ledger.orders.note_order(
            order.order_id, "rejudged", who=str(who), why=why, changes=rejudged(order, due, at), at=at
        )
        self._timetable.wake()
        return changed

    async def stop(self) -> None:
        """Wait for the reminders under way; who rings has been told to stop by then."""
        await DeferredList([*self._under_way], consumeErrors=True)

    # -- inside -----------------------------------------------------------------------------------------------------

    async def _own(self, order_id: str, who: Actor) -> Order:
        """Return an order that `who` may act on."""
        order = await self._ledger.orders.order(order_id)
        if order is None:
            raise OrderRefusal.UNKNOWN.error(order_id=order_id)
        if not who.may_act_for(order.unit_id):
            raise OrderRefusal.NOT_YOURS.error()
        return order

    async def _change(
        self, order_id: str, event: OrderEvent, who: Actor, why: str = "", changes: dict[str, Any] | None = None
    ) -> Order:
        order = await self._own(order_id, who)
        try:
            changed = await self._ledger.orders.change_order(
                order.order_id, event, who=str(who), why=why, changes=changes, at=self._clock.now()
            )
        except IllegalTransition as wrong:
            raise self._illegal(order, EVENT_WORDS[event]) from wrong
        except StaleOrder as wrong:
            raise OrderRefusal.CHANGED.error() from wrong
        except UnknownOrder as wrong:
            raise OrderRefusal.UNKNOWN.error(order_id=order_id) from wrong
        self._timetable.wake()
        return changed

    def _illegal(self, order: Order, what: str) -> OperationRefused:
        if order.state is OrderState.CALLING_BACK:
            return OrderRefusal.CALLING_BACK.error()
        return OrderRefusal.NOT_NOW.error(state=STATES[order.state.value], what=what)

    def _unit(self, unit_id: str) -> Unit:
        try:
            return self._office.directory.unit(unit_id)
        except UnknownUnit as wrong:
            raise OrderRefusal.UNKNOWN_UNIT.error(unit=unit_id) from wrong

    def _numbers_of(self, unit_id: str) -> set[str]:
        unit = self._unit(unit_id)
        people = {person.number for tier in unit.tiers for person in tier.specialists}
        return people | {number for number in (unit.leader_number, unit.head_number) if number}

    # -- ringing ----------------------------------------------------------------------------------------------------

    async def _dial(self, order: Order, request: CallbackRequest, who: Actor, overrule: str = "") -> Order:
        self._check_may_be_dialled(order)
        overruled = await self._gate.pass_callback(order, who, overrule)
        if overruled:
            request = replace(request, why=overruled)
        may = self._may_be_dialled(order, who, is_overruled=bool(overruled))
        has_begun = await self._timetable.dial_now(order.order_id, may, request)
        if not has_begun:
            raise OrderRefusal.TAKEN.error()
        return await self._own(order.order_id, who)

    def _check_may_be_dialled(self, order: Order) -> None:
        if (order.state, OrderEvent.ATTEMPT_BEGUN) not in TRANSITIONS:
            raise self._illegal(order, EVENT_WORDS[OrderEvent.ATTEMPT_BEGUN])
        if not order.callback_number:
            raise OrderRefusal.NO_NUMBER.error()
        if self._rules.callback(order.callback_number) is None:
            raise OrderRefusal.NOT_DIALABLE.error()
        if _may_be_talking(order, self._clock.now()):
            raise OrderRefusal.MAY_BE_TALKING.error()
        if not self._presence.is_free(order.callback_number):
            raise OrderRefusal.ENTERPRISE_BUSY.error()
        if self._ports.free_lines() <= 0:
            raise OrderRefusal.NO_LINE.error()

    def _may_be_dialled(self, seen: Order, who: Actor, *, is_overruled: bool) -> Callable[[Order], bool]:
        """Return what tells, under the lease, whether the order is still what was asked about."""

        def may(order: Order) -> bool:
            is_possible = (order.state, OrderEvent.ATTEMPT_BEGUN) in TRANSITIONS
            is_same = (order.unit_id, order.callback_number) == (seen.unit_id, seen.callback_number)
            passes = is_overruled or self._gate.still_passes(order, who)
            return is_possible and is_same and passes and not _may_be_talking(order, self._clock.now())

        return may

    async def _remind(self, order: Order, number: str, who: Actor) -> None:
        async def acknowledged() -> bool:
            return await self._note_reminded(order, who, "已按键确认")

        try:
            if not await self._callbacks.remind_leader(order, number, acknowledged):
                await self._note_reminded(order, who, "未确认")
        except Exception:
            log.exception("leader_reminder_failed", order_id=order.order_id)
        finally:
            self._reminding.discard(order.order_id)

    async def _note_reminded(self, order: Order, who: Actor, what: str) -> bool:
        why, at = f"督办提醒负责人：{what}", self._clock.now()
        try:
            await self._ledger.orders.note_order(order.order_id, "leader_reminded", who=str(who), why=why, at=at)
        except SchedulerError as wrong:
            log.warning("leader_reminder_not_noted", order_id=order.order_id, error=str(wrong))
            return False
        return True


def _text(text: str) -> str:
    """Return a text somebody typed; OperationRefused if there is none, or too much."""
    text = text.strip()
    if not text:
        raise OrderRefusal.NO_TEXT.error()
    if len(text) > _LONGEST_TEXT:
        raise OrderRefusal.TEXT_TOO_LONG.error(most=str(_LONGEST_TEXT))
    return text


def _may_be_talking(order: Order, at: datetime) -> bool:
    """Whether a node was lost while the enterprise's phone rang, so that it may be on the phone at this moment."""
    last = order.attempts[-1] if order.attempts else None
    is_lost = last is not None and last.outcome is AttemptOutcome.UNKNOWN and last.enterprise_rung_at is not None
    return is_lost and order.dial_after is not None and at < order.dial_after
