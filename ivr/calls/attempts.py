"""Attempts that people begin: a specialist who dials in, an enterprise that rings again."""

from __future__ import annotations

from typing import Any

import structlog
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater

from callback_scheduler.errors import SchedulerError, StoreUnavailable
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor
from callback_scheduler.orders.order import Attempt, AttemptOutcome, Lease, Order
from callback_scheduler.orders.states import OrderEvent
from callback_scheduler.timetable.whose_turn import next_dial_at
from config.ladder import LadderSettings
from ivr.calls.attempt import RunningAttempt
from ivr.calls.call import Call

log = structlog.get_logger()

# While Redis is away an attempt cannot be settled; the evidence is worth some patience.
_AGAIN_AFTER_S, _TRIES = 5.0, 60


class Attempts:
    """Begins attempts outside the timetable and settles them; the order is held by a lease in between."""

    def __init__(self, ledger: Ledger, ladder: LadderSettings) -> None:
        self._ledger = ledger
        self._ladder = ladder

    async def begin(self, call: Call, order: Order, by: str, who: Actor) -> RunningAttempt | None:
        """Take the order and write that an attempt has begun; None if somebody has it, or it may not be tried now."""
        lease = None
        try:
            lease = await self._ledger.orders.lease(order.order_id, self._ladder.lease_s)
            if lease is None:
                return None
            at = call.clock.now()
            now = await self._ledger.orders.order(order.order_id) or order
            attempt = Attempt(
                attempt_id=now.next_attempt_id, begun_at=at, by=by, number=now.callback_number, epoch=lease.epoch
            )
            now = await self._ledger.orders.change_order(
                now.order_id, OrderEvent.ATTEMPT_BEGUN, who=str(who), attempt=attempt, epoch=lease.epoch, at=at,
                changes={"dial_after": None},
            )  # fmt: skip
        except SchedulerError as wrong:
            call.log.warning("attempt_not_begun", order_id=order.order_id, error=str(wrong))
            if lease is not None:
                await self._release(lease)
            return None
        call.record.attempt_id = attempt.attempt_id
        running = RunningAttempt(self._ledger, now, attempt, lease)
        running.hold(call.reactor)
        return running

    async def settle(self, call: Call, running: RunningAttempt) -> None:
        """Write how an attempt ended and give the order back; never raises.

        While Redis is away this goes on behind the scenes: whoever is on the line does not wait for it, and is not
        told that it is done.
        """
        running.let_go()
        attempt = running.finished(call)
        if not await self._is_settled(running, attempt):
            ensureDeferred(self._settle_later(call.reactor, running, attempt))

    async def _settle_later(self, reactor: Any, running: RunningAttempt, attempt: Attempt) -> None:
        for _ in range(_TRIES):
            await deferLater(reactor, _AGAIN_AFTER_S)
            if await self._is_settled(running, attempt):
                return
        log.error("attempt_lost", attempt_id=attempt.attempt_id, error="Redis did not come back")

    async def _is_settled(self, running: RunningAttempt, attempt: Attempt) -> bool:
        """Write the end of an attempt; False if it should be tried again."""
        try:
            await self._write(running, attempt)
        except StoreUnavailable as away:
            log.warning("attempt_not_settled", attempt_id=attempt.attempt_id, error=str(away))
            return False
        except SchedulerError as wrong:
            log.error("attempt_lost", attempt_id=attempt.attempt_id, error=str(wrong))
        await self._release(running.lease)
        return True

    async def _write(self, running: RunningAttempt, attempt: Attempt) -> None:
        is_reached = attempt.outcome is AttemptOutcome.REACHED
        assert attempt.ended_at is not None
        no_promise = {"promised_at": None, "promised_by": None}
        await self._ledger.orders.change_order(
            running.order.order_id,
            OrderEvent.REACHED if is_reached else OrderEvent.ATTEMPT_FAILED,
            who=attempt.by,
            why=attempt.outcome.value,
            changes=no_promise if is_reached else self._again(running.order, attempt),
            attempt=attempt,
            epoch=running.lease.epoch,
            at=attempt.ended_at,
        )

    def _again(self, order: Order, attempt: Attempt) -> dict[str, Any]:
        """When the order is dialled next, and the promise a specialist made by key 3."""
        assert attempt.ended_at is not None
        next_at = next_dial_at(attempt, order, attempt.ended_at, self._ladder.of(order.unit_id))
        if attempt.outcome is not AttemptOutcome.IN_TEN_MINUTES:
            return {"dial_after": next_at}
        return {"dial_after": next_at, "promised_at": next_at, "promised_by": attempt.unit_number}

    async def _release(self, lease: Lease) -> None:
        try:
            await self._ledger.orders.release(lease)
        except SchedulerError as away:
            log.warning("lease_not_released", order_id=lease.order_id, error=str(away))  # it ends by itself
