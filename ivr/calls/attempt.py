"""An attempt at work: the call that shall settle an order, under its lease, growing into the record of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import LoopingCall

from callback_scheduler.errors import FencedOff, SchedulerError
from callback_scheduler.ledger.ledger import Ledger
from callback_scheduler.orders.actor import Actor, ActorRole
from callback_scheduler.orders.evidence import proves
from callback_scheduler.orders.holds import Hold
from callback_scheduler.orders.order import Attempt, AttemptOutcome, BegunBy, Evidence, Lease, Order
from ivr.calls.call import Call
from ivr.calls.cdr import LegRecord, PartyRole
from ivr.calls.leg import Leg

_BUSY = frozenset({486, 600})
_DECLINED = frozenset({403, 404, 410, 433, 484, 603, 604, 607, 608})
_REDIRECTED = range(300, 400)  # somewhere else, and the phone itself has not rung
_NO_SERVICE = 500  # and above, but for 6xx: nobody's phone has rung


class RunningAttempt:
    """One attempt while its call runs; `is_joined` once unit and enterprise were put together.

    Whatever has to be on disk before the next step is written here: if it cannot be written, or the lease is lost, the
    attempt is called off and the step is not taken.
    """

    def __init__(self, ledger: Ledger, order: Order, attempt: Attempt, lease: Lease) -> None:
        self._ledger = ledger
        self.order = order
        self.attempt = attempt
        self.lease = lease
        self.is_joined = False
        self._outcome: AttemptOutcome | None = None
        self._is_lost = False
        self._renewing: LoopingCall | None = None
        self.recording = ""
        self._log = structlog.get_logger().bind(order_id=order.order_id, attempt_id=attempt.attempt_id)

    async def is_ours(self) -> bool:
        """Renew the lease and tell whether the order is still ours; without an answer it is not."""
        try:
            if not self._is_lost and not await self._ledger.orders.renew(self.lease):
                self._is_lost = True
                self._log.warning("lease_lost", epoch=self.lease.epoch)
        except SchedulerError as away:
            self._log.warning("lease_not_renewed", error=str(away))
            return False
        return not self._is_lost

    def hold(self, reactor: Any) -> None:
        """Renew the lease again and again, so that a long talk does not lose it."""
        self._renewing = LoopingCall(lambda: ensureDeferred(self.is_ours()))
        self._renewing.clock = reactor
        self._renewing.start(self.lease.ttl_s / 3, now=False)

    def let_go(self) -> None:
        """Renew the lease no more; whoever took it gives it back."""
        if self._renewing is not None and self._renewing.running:
            self._renewing.stop()

    async def may_ring_enterprise(self, call: Call, specialist: Leg) -> bool:
        """Write the intent to ring the enterprise; False if the order is no longer ours, or it cannot be written."""
        if not await self.is_ours():
            return False
        at = call.clock.now()
        self.attempt = replace(self.attempt, unit_number=specialist.record.number, enterprise_rung_at=at)
        may_ring = False
        try:
            await self._note(call, actor_of(self.order, specialist))
            # asked last of all: a node that stood still while it wrote has lost its lease since
            may_ring = await self.is_ours()
        except SchedulerError as wrong:
            self._log.warning("attempt_called_off", error=str(wrong))
        if not may_ring:
            self.attempt = replace(self.attempt, enterprise_rung_at=None)
        return may_ring

    async def note_promise(self, call: Call, specialist: Leg, in_s: float) -> bool:
        """Write that a specialist promises to ring the enterprise in so many seconds; False if it cannot be written.

        Until then it is not dialled, and the unit is told if it passes: also if this node does not live to see that.
        """
        at, who = call.clock.now(), actor_of(self.order, specialist)
        promise = {"promised_at": at + timedelta(seconds=in_s), "promised_by": specialist.record.number}
        try:
            await self._note(call, who, promise)
        except SchedulerError as wrong:
            self._log.warning("promise_not_noted", error=str(wrong))
            return False
        return True

    async def note_not_theirs(self, call: Call, specialist: Leg) -> bool:
        """Write that whoever answered at the enterprise's number never asked for a callback; False if it cannot be.

        From then on nobody rings there about the order, but for a supervisor with a reason.
        """
        try:
            await self._note(call, actor_of(self.order, specialist), {"hold_reason": Hold.NOT_THEIRS.value})
        except SchedulerError as wrong:
            self._log.warning("hold_not_noted", error=str(wrong))
            return False
        return True

    async def note_talk(self, call: Call, specialist: Leg) -> None:
        """Write the evidence as soon as there is enough of it: a node that dies later in the talk loses nothing."""
        self.attempt = replace(self.attempt, evidence=self._evidence(call))
        try:
            await self._note(call, actor_of(self.order, specialist))
        except FencedOff:
            self._log.warning("evidence_fenced_off", epoch=self.lease.epoch)
        except SchedulerError as wrong:
            self._log.warning("evidence_not_noted", error=str(wrong))  # it is written again with the outcome

    async def _note(self, call: Call, who: Actor, changes: dict[str, Any] | None = None) -> None:
        await self._ledger.orders.note_order(
            self.order.order_id, "attempt_phase",
            who=str(who), changes=changes, attempt=self.attempt, epoch=self.lease.epoch, at=call.clock.now(),
        )  # fmt: skip

    def came_to(self, outcome: AttemptOutcome) -> None:
        """Note how the attempt ends; evidence of a talk outranks it."""
        self._outcome = outcome

    def _broken_off(self, call: Call) -> AttemptOutcome:
        """Return what an attempt came to whose call was over before its flow was, or in the talk."""
        if call.is_released:
            return AttemptOutcome.CALLED_OFF
        if call.line_lost:
            return AttemptOutcome.UNKNOWN
        if self.is_joined:
            return AttemptOutcome.TALK_TOO_SHORT
        # the one who waited has left: a specialist before the enterprise was on, an enterprise before a specialist was
        return AttemptOutcome.CALLED_OFF if self.attempt.by == BegunBy.ENTERPRISE else AttemptOutcome.NOT_ACCEPTED

    def finished(self, call: Call) -> Attempt:
        """Return the attempt as it ended."""
        evidence = self._evidence(call)
        outcome = AttemptOutcome.REACHED if proves(evidence) else self._outcome or self._broken_off(call)
        unit_number = evidence.unit_number if evidence else self.attempt.unit_number
        self.attempt = replace(
            self.attempt, outcome=outcome, ended_at=call.clock.now(), unit_number=unit_number, evidence=evidence
        )
        self._log.info("attempt_ended", outcome=outcome.value, two_way_s=round(call.talked_s, 1))
        return self.attempt

    def _evidence(self, call: Call) -> Evidence | None:
        """Return what the legs of the call prove so far; None if no phone was rung."""
        unit = _unit_leg(call.record.legs)
        enterprise = next((leg for leg in call.record.legs if leg.role is PartyRole.CALLER), None)
        if unit is None and enterprise is None:
            return None
        return Evidence(
            call_id=call.call_id,
            unit_number=unit.number if unit else "",
            unit_answered_at=unit.answered_at if unit else None,
            accepted_at=unit.accepted_at if unit else None,
            enterprise_number=enterprise.number if enterprise else self.attempt.number,
            enterprise_answered_at=enterprise.answered_at if enterprise else None,
            talk_began_at=call.talk_began_at,
            two_way_s=round(call.talked_s, 1),
            recording=self.recording,
        )


def actor_of(order: Order, specialist: Leg) -> Actor:
    """Return a specialist who acts for the unit of an order; the name is the number where none is known."""
    return Actor(ActorRole.UNIT, specialist.record.name or specialist.record.number, order.unit_id)


def _unit_leg(legs: list[LegRecord]) -> LegRecord | None:
    """The leg that says most about the unit: the one that accepted, else one that answered, else the one rung first."""
    rung = [leg for leg in legs if leg.role is PartyRole.SPECIALIST]
    return min(rung, key=lambda leg: (leg.accepted_at is None, leg.answered_at is None), default=None)


def unit_outcome(legs: list[LegRecord], has_tiers: bool) -> AttemptOutcome:
    """Return what came of ringing a unit where nobody pressed 1: the one nearest to a yes speaks for all.

    Nobody rung although there are people: they are all on the phone with us.
    """
    rung = [leg for leg in legs if leg.role is PartyRole.SPECIALIST and not leg.was_followed]
    causes = {leg.cause for leg in rung}
    if "in ten minutes" in causes:
        return AttemptOutcome.IN_TEN_MINUTES
    if "passed on" in causes:
        return AttemptOutcome.PASSED_ON
    if any(leg.answered_at for leg in rung):
        return AttemptOutcome.NOT_ACCEPTED
    if any(leg.sip_status in _BUSY for leg in rung) or (has_tiers and not rung):
        return AttemptOutcome.UNIT_BUSY
    if any(leg.sip_status in _DECLINED or leg.sip_status in _REDIRECTED for leg in rung):
        return AttemptOutcome.UNIT_REFUSED
    return AttemptOutcome.UNIT_NO_ANSWER


def enterprise_outcome(leg: LegRecord) -> AttemptOutcome:
    """Return what came of ringing an enterprise that did not answer; UNKNOWN if the network could not ring it."""
    if leg.sip_status in _BUSY:
        return AttemptOutcome.ENTERPRISE_BUSY
    if leg.sip_status in _DECLINED:
        return AttemptOutcome.ENTERPRISE_REFUSED
    if _NO_SERVICE <= leg.sip_status < 600 or leg.sip_status in _REDIRECTED:
        return AttemptOutcome.UNKNOWN
    return AttemptOutcome.ENTERPRISE_NO_ANSWER
