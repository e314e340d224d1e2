"""The callbacks under way on this node: each begun, carried and settled under the lease of its order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred

from callback_scheduler.errors import FencedOff, IllegalTransition, SchedulerError, StaleOrder, StoreUnavailable
from callback_scheduler.ledger.orders import OrderKeeping
from callback_scheduler.orders.actor import TIMETABLE, Actor
from callback_scheduler.orders.causes import breach_cause
from callback_scheduler.orders.evidence import proves
from callback_scheduler.orders.order import Attempt, AttemptOutcome, BegunBy, Lease, Order
from callback_scheduler.orders.states import OrderEvent, OrderState
from callback_scheduler.timetable.ladder import tiers_open
from callback_scheduler.timetable.may_dial import DialFor, DialPast
from callback_scheduler.timetable.ports import Ports
from callback_scheduler.timetable.whose_turn import DIALLED, UNIT_FAILED, may_be_on_the_phone, next_dial_at
from config.ladder import LadderSettings
from routing.clock import Clock

log = structlog.get_logger()

_RENEWALS_PER_LEASE = 3


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """Who asked for a callback: `by` as in Attempt, `who` as in the journal; `unit_number` is rung first, if given."""

    by: BegunBy
    who: Actor | str
    why: str = ""
    unit_number: str = ""


BY_ITSELF = CallbackRequest(BegunBy.TIMETABLE, TIMETABLE)


@dataclass(slots=True)
class _Dial:
    """A callback under way."""

    order: Order
    lease: Lease
    renewing: Any = None
    carried: Deferred[None] | None = None


class CallbacksUnderWay:
    """Places callbacks through `ports.ring_back`, writes what came of them, takes over those of dead nodes.

    `on_ended` hears of each that is over: the order's number, and the order as it is then, None if that is not known.
    `may_freeze` tells whether the clock is believed. `reactor` gives callLater.
    """

    def __init__(
        self,
        orders: OrderKeeping,
        ladder: LadderSettings,
        *,
        clock: Clock,
        reactor: Any,
        ports: Ports,
        on_ended: Callable[[str, Order | None], None],
        may_freeze: Callable[[], bool] = lambda: True,
    ) -> None:
        self._orders = orders
        self._ladder = ladder
        self._clock = clock
        self._reactor = reactor
        self._ports = ports
        self._on_ended = on_ended
        self._may_freeze = may_freeze
        self._dials: dict[str, _Dial] = {}
        self._unsettled: dict[str, Attempt] = {}  # ended, and not written yet: by attempt id

    @property
    def under_way(self) -> dict[str, Order]:
        """Return the orders being dialled here, by number."""
        return {number: dial.order for number, dial in self._dials.items()}

    async def begin(
        self, order_id: str, at: datetime, is_its_turn: Callable[[Order], bool], request: CallbackRequest = BY_ITSELF
    ) -> Order | None:
        """Begin a callback and return the order as it is then; the intent is on disk by then.

        None if somebody else has the order. If it has changed so that it is not its turn any more, it is left as it is.
        `request` tells who wants it: the timetable itself, or somebody by hand.
        """
        lease = await self._orders.lease(order_id, self._ladder.lease_s)
        if lease is None:
            return None
        try:
            fresh = await self._orders.order(order_id)
            if fresh is None or not is_its_turn(fresh) or not await self._may_dial(fresh, request, at):
                await self._orders.release(lease)
                return fresh
            attempt = Attempt(
                attempt_id=fresh.next_attempt_id,
                begun_at=at,
                by=request.by,
                number=fresh.callback_number,
                unit_number=request.unit_number,
                epoch=lease.epoch,
            )
            begun = await self._orders.change_order(
                fresh.order_id, OrderEvent.ATTEMPT_BEGUN, who=request.who, why=request.why, attempt=attempt,
                epoch=lease.epoch, at=at, changes=_begun_changes(fresh, request),
            )  # fmt: skip
        except (StaleOrder, IllegalTransition, FencedOff) as changed:
            log.info("order_changed_meanwhile", order_id=order_id, error=str(changed))
            await self._orders.release(lease)
            return None
        dial = self._dials[begun.order_id] = _Dial(begun, lease)
        self._renew_later(dial)
        dial.carried = ensureDeferred(self._carry(dial, attempt))
        return begun

    async def _may_dial(self, order: Order, request: CallbackRequest, at: datetime) -> bool:
        """Whether the enterprise of an order may be rung: the other node's picture is not ours.

        Not while another order of it is being dialled, nor, by the timetable itself, against the rules of the gate; who
        asks by hand has been told by then what is in the way.
        """
        owed = await self._orders.open_orders_of(order.callback_number)
        same = [one for one in owed if one.callback_number == order.callback_number and one.order_id != order.order_id]
        if any(may_be_on_the_phone(one, at) for one in same):
            return False
        if request is not BY_ITSELF:
            return True
        past = DialPast(order=order, of_number=same)
        now = max(at, self._clock.now())
        refusal = self._ports.may_dial_now(order.unit_id, order.callback_number, DialFor.TIMETABLE, past, now)
        if refusal is not None:
            log.warning("dial_refused", order_id=order.order_id, reason=refusal.reason.value)
        return refusal is None

    # -- while it rings -----------------------------------------------------------------------------------------------

    def _renew_later(self, dial: _Dial) -> None:
        dial.renewing = self._reactor.callLater(
            dial.lease.ttl_s / _RENEWALS_PER_LEASE, lambda: ensureDeferred(self._renew(dial))
        )

    async def _renew(self, dial: _Dial) -> None:
        try:
            is_ours = await self._orders.renew(dial.lease)
        except SchedulerError as away:
            log.warning("lease_not_renewed", order_id=dial.order.order_id, error=str(away))
            is_ours = True  # the next one may come through; who rings asks again before he rings
        if not is_ours:
            log.warning("lease_lost", order_id=dial.order.order_id, epoch=dial.lease.epoch)
        elif self._dials.get(dial.order.order_id) is dial:
            self._renew_later(dial)

    async def _carry(self, dial: _Dial, attempt: Attempt) -> None:
        order_id, ended = dial.order.order_id, None
        try:
            finished = await self._ports.ring_back(dial.order, attempt, dial.lease)
            self._unsettled[finished.attempt_id] = finished
            ended = await self._settle(order_id, finished, dial.lease)
        except SchedulerError as wrong:
            log.warning("attempt_not_settled", attempt_id=attempt.attempt_id, error=str(wrong))
        except Exception:
            # Nobody knows how far it came: it is ended as that of a dead node is, once the lease is back.
            log.exception("callback_failed", order_id=order_id, attempt_id=attempt.attempt_id)
        await self._let_go(dial)
        self._on_ended(order_id, ended)

    async def _let_go(self, dial: _Dial) -> None:
        if dial.renewing.active():
            dial.renewing.cancel()
        try:
            await self._orders.release(dial.lease)
        except SchedulerError as away:
            log.warning("lease_not_released", order_id=dial.order.order_id, error=str(away))
        finally:
            del self._dials[dial.order.order_id]

    # -- what came of it ------------------------------------------------------------------------------------------

    async def settle_rest(self) -> None:
        """Write what could not be written when it happened: Redis was away, or the lease was lost in the meantime."""
        for finished in list(self._unsettled.values()):
            order_id = finished.attempt_id.rpartition("-a")[0]
            if order_id in self._dials:
                continue
            lease = await self._orders.lease(order_id, self._ladder.lease_s)
            if lease is None:
                continue
            try:
                await self._settle(order_id, finished, lease)
            except (StaleOrder, IllegalTransition, FencedOff) as changed:
                log.info("order_changed_meanwhile", order_id=order_id, error=str(changed))
            finally:
                await self._orders.release(lease)

    async def _settle(self, order_id: str, finished: Attempt, lease: Lease) -> Order | None:
        """Write the end of an attempt, whatever has been thought of it meanwhile; each once. Return the order then."""
        order = await self._orders.order(order_id)
        known = {one.attempt_id: one for one in order.attempts}.get(finished.attempt_id) if order else None
        if order is None or known is None:
            log.error("attempt_unknown", attempt_id=finished.attempt_id)
        elif known.outcome is AttemptOutcome.UNDER_WAY and order.state is OrderState.CALLING_BACK:
            order = await self._write_end(order, finished, lease)
        elif proves(finished.evidence) and not proves(known.evidence):
            await self._write_late_proof(order, finished, lease)
        self._unsettled.pop(finished.attempt_id, None)
        return order

    async def _write_end(self, order: Order, finished: Attempt, lease: Lease) -> Order:
        ended_at = finished.ended_at or self._clock.now()
        if proves(finished.evidence):
            finished = replace(finished, outcome=AttemptOutcome.REACHED)
            await self._freeze_if_late(order, finished, lease, ended_at)
            event, changes = OrderEvent.REACHED, {"promised_at": None, "promised_by": None}
        else:
            event, changes = OrderEvent.ATTEMPT_FAILED, self._next_try(order, finished, ended_at)
        return await self._orders.change_order(
            order.order_id, event, who=TIMETABLE, changes=changes, attempt=finished, epoch=lease.epoch, at=ended_at
        )  # fmt: skip

    def _next_try(self, order: Order, finished: Attempt, ended_at: datetime) -> dict[str, Any]:
        dial_after = next_dial_at(finished, order, ended_at, self._ladder.of(order.unit_id))
        begun = self._dials.get(order.order_id)
        has_widened = begun is not None and tiers_open(order) > tiers_open(begun.order)
        if has_widened and finished.outcome in UNIT_FAILED:
            dial_after = ended_at  # the ladder has opened other phones meanwhile: those need not wait for a retry
        changes: dict[str, Any] = {"dial_after": dial_after}
        if finished.outcome is AttemptOutcome.IN_TEN_MINUTES and (
            order.promised_at is None or order.promised_at <= ended_at
        ):
            changes |= {"promised_at": dial_after, "promised_by": finished.unit_number}
        return changes

    async def _freeze_if_late(self, order: Order, finished: Attempt, lease: Lease, at: datetime) -> None:
        """Freeze the breach of an order that rang before its deadline and talked after it.

        That is done before it counts as reached: nobody looks at it any more then, should this node die in between.
        """
        talk_began_at = finished.evidence.talk_began_at if finished.evidence else None
        reached_at = order.reached_at or talk_began_at
        if order.overdue_at is not None or reached_at is None or reached_at < order.due_at:
            return
        if not self._may_freeze():
            log.warning("breach_not_frozen", order_id=order.order_id, reached_at=str(reached_at), why="clock doubted")
            return
        attempts = tuple(finished if one.attempt_id == finished.attempt_id else one for one in order.attempts)
        cause = breach_cause(replace(order, state=OrderState.REACHED, reached_at=reached_at, attempts=attempts), at)
        await self._ports.notices.tell("breach", order, {"key": f"{order.order_id}/late", "cause": cause}, at)
        changes = {"overdue_at": order.due_at, "breach_cause": cause}
        await self._orders.note_order(
            order.order_id, "breach_frozen", who=TIMETABLE, why=cause, changes=changes, epoch=lease.epoch, at=at
        )  # fmt: skip

    async def _write_late_proof(self, order: Order, finished: Attempt, lease: Lease) -> None:
        """Write the evidence of an attempt that was given up as lost: it did take place, and there is a recording."""
        finished = replace(finished, outcome=AttemptOutcome.REACHED)
        at, why = self._clock.now(), "补记：失去租约的拨打实际已接通"
        if order.state not in DIALLED:
            await self._orders.note_order(
                order.order_id, "late_evidence", who=TIMETABLE, why=why, attempt=finished, epoch=lease.epoch, at=at
            )  # fmt: skip
            return
        for event in (OrderEvent.ATTEMPT_BEGUN, OrderEvent.REACHED):
            await self._orders.change_order(
                order.order_id, event, who=TIMETABLE, why=why, attempt=finished, epoch=lease.epoch, at=at
            )  # fmt: skip

    # -- what dead nodes left ---------------------------------------------------------------------------------------

    async def recover(self, order: Order, at: datetime) -> None:
        """End an attempt whose node is gone: by its evidence if it has enough, else as unknown.

        Whose enterprise may have been rung is not dialled again before a safe time: it may be talking at this moment.
        """
        if order.state is not OrderState.CALLING_BACK or self._is_ours(order):
            return
        lease = await self._orders.lease(order.order_id, self._ladder.lease_s)
        if lease is None:
            return  # somebody is at it
        try:
            fresh = await self._orders.order(order.order_id)
            last = fresh.attempts[-1] if fresh and fresh.attempts else None
            if fresh and last and fresh.state is OrderState.CALLING_BACK:
                # counted from now: this node may have stood still since the sweep began
                await self._end_lost(fresh, last, lease, max(at, self._clock.now()))
        except (StaleOrder, IllegalTransition, FencedOff) as changed:
            log.info("order_changed_meanwhile", order_id=order.order_id, error=str(changed))
        finally:
            await self._orders.release(lease)

    def _is_ours(self, order: Order) -> bool:
        waiting = {attempt_id.rpartition("-a")[0] for attempt_id in self._unsettled}
        return order.order_id in self._dials or order.order_id in waiting

    async def _end_lost(self, order: Order, last: Attempt, lease: Lease, at: datetime) -> None:
        if proves(last.evidence):
            await self._write_end(order, replace(last, ended_at=last.ended_at or at), lease)
            return
        pause_s = self._ladder.safe_redial_s if last.enterprise_rung_at else self._ladder.of(order.unit_id).busy_retry_s
        is_open_end = last.outcome is AttemptOutcome.UNDER_WAY
        outcome = AttemptOutcome.UNKNOWN if is_open_end else last.outcome
        log.warning("attempt_lost", order_id=order.order_id, attempt_id=last.attempt_id, redial_after_s=pause_s)
        await self._orders.change_order(
            order.order_id,
            OrderEvent.ATTEMPT_FAILED,
            who=TIMETABLE,
            why="节点中断，拨打结果不明",
            changes={"dial_after": at + timedelta(seconds=pause_s)},
            attempt=replace(last, outcome=outcome, ended_at=last.ended_at or at),
            epoch=lease.epoch,
            at=at,
        )

    async def stop(self) -> None:
        """Wait for what is under way; who rings has been told to stop by then."""
        waiting = [dial.carried for dial in self._dials.values() if dial.carried is not None]
        await DeferredList(waiting, consumeErrors=True)
        try:
            await self.settle_rest()
        except StoreUnavailable as away:
            log.warning("attempts_left_unsettled", attempts=sorted(self._unsettled), error=str(away))


def _begun_changes(order: Order, request: CallbackRequest) -> dict[str, Any]:
    """Return what changes with the beginning: an order that a person lets ring needs nobody to look at it any more."""
    released = {"hold_reason": ""} if order.hold_reason and request is not BY_ITSELF else {}
    return {"dial_after": None, **released}
